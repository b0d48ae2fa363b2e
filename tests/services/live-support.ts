import { randomUUID } from 'node:crypto';
import { createLogger } from '../../src/logger.ts';
import type { Caller } from '../../src/services/caller.ts';
import type { EventSource } from '../../src/services/event-source.ts';
import { Messages } from '../support/messages.ts';

export const silent = createLogger({ level: 'silent', format: 'json' });

/** A caller with a token for an hour. */
export const callerOf = (overrides: Partial<Caller> = {}): Caller => ({
  tenantId: 'acme',
  userId: randomUUID(),
  roles: [],
  expiresAtMs: Date.now() + 3_600_000,
  issuedAtMs: Date.now(),
  sessionId: undefined,
  ...overrides,
});

/** A reader that takes everything at once. */
export function readAll<Event>(source: EventSource<Event>) {
  const messages = new Messages<Event>();
  const over = Promise.withResolvers<Error | undefined>();
  source.pipe({
    take(event) {
      messages.add(event);
      return true;
    },
    ended: over.resolve,
  });
  return { messages, ended: over.promise, [Symbol.asyncDispose]: async () => void (await source.return()) };
}
