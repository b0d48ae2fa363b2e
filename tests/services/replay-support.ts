import { expect } from '@jest/globals';
import type { ChangeResult } from '../../src/services/inbox-changes.ts';
import type { InboxEvent } from '../../src/services/inbox-event.ts';
import type { InboxHead } from '../../src/services/inbox-head.ts';
import type { ReplayReader } from '../../src/services/inbox-replay.ts';
import type { Outline } from './inbox-model.ts';

export const idsOf = (event: InboxEvent): readonly string[] => ('ids' in event ? event.ids : [event.notification.id]);

export const isRecall = (event: InboxEvent): boolean => event.kind === 'deleted' && event.recalled;

/** Expects that a change did to these ids, in whatever order, what it was meant to, and to no others. */
export function expectIds({ event }: ChangeResult, ids: readonly string[]): void {
  expect(event ? idsOf(event).toSorted() : []).toEqual(ids.toSorted());
}

/** The parts that a model can foretell; ids that changed together have no order of their own. */
export const outlineOf = (event: InboxEvent): Outline => ({
  kind: event.kind,
  version: event.version,
  previousVersion: event.previousVersion,
  ids: idsOf(event).toSorted(),
  recalled: isRecall(event),
});

/** What a reader holds, read or not by id, who held `state` and was told `events`. */
export function fold(state: Map<string, boolean>, events: readonly InboxEvent[]): Map<string, boolean> {
  for (const event of events) {
    if ('notification' in event) state.set(event.notification.id, event.notification.readAt !== null);
    else if (event.kind === 'read') for (const id of event.ids) state.set(id, true);
    else for (const id of event.ids) state.delete(id);
  }
  return state;
}

/** All pages of a reader, joined. */
export async function readAll(reader: ReplayReader): Promise<{ head: InboxHead; events: InboxEvent[] }> {
  const events: InboxEvent[] = [];
  for (;;) {
    const page = await reader.next();
    events.push(...page.events);
    if (page.complete) return { head: page.head, events };
  }
}
