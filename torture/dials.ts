import { dialEventStream } from './client-event-stream.ts';
import { dialGraphQL, dialLegacy } from './client-socket.ts';
import type { Dial } from './device.ts';
import type { DoorKind } from './population.ts';

/** How each kind of device connects. */
export const dials: Record<DoorKind, Dial> = {
  changes: dialGraphQL('changes'),
  additions: dialGraphQL('additions'),
  'event-stream': dialEventStream,
  legacy: dialLegacy,
};
