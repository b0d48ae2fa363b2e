import { randomUUID } from 'node:crypto';
import { v7 as uuidv7 } from 'uuid';
import { type Database, connectDatabase } from '../../src/database/database.ts';
import type { Caller, InboxAddress } from '../../src/services/caller.ts';
import { InboxChanges } from '../../src/services/inbox-changes.ts';
import { InboxDepartures } from '../../src/services/inbox-departures.ts';
import type { InboxEvent } from '../../src/services/inbox-event.ts';
import { InboxLog } from '../../src/services/inbox-log.ts';
import { InboxReplays } from '../../src/services/inbox-replay.ts';
import { ReceiptLog } from '../../src/services/receipt-log.ts';
import type { SendItem, SendResult } from '../../src/services/send-item.ts';
import { createSendWriter } from '../../src/services/send-writer.ts';
import { SentNotifications } from '../../src/services/sent-notifications.ts';
import { createTestDatabase } from '../support/postgres.ts';

const DAY_MS = 86_400_000;

/** The services that stand directly on the database, on a database of their own. */
export interface Services extends AsyncDisposable {
  readonly url: string;
  readonly database: Database;
  readonly log: InboxLog;
  readonly replays: InboxReplays;
  readonly changes: InboxChanges;
  readonly departures: InboxDepartures;
  readonly receipts: ReceiptLog;
  readonly sent: SentNotifications;
  readonly write: ReturnType<typeof createSendWriter>;
  /** Stores items that must all be accepted, and answers with what changed. */
  store(items: readonly SendItem[]): Promise<InboxEvent[]>;
}

export async function openServices({ idempotencyWindowMs = DAY_MS } = {}): Promise<Services> {
  await using resources = new AsyncDisposableStack();
  const { url } = resources.use(await createTestDatabase());
  const database = await connectDatabase({ url, poolMax: 12, timeoutMs: 20_000, rowLevelSecurity: false });
  resources.defer(() => database.close(true));
  const owned = resources.move();
  const write = createSendWriter(database, idempotencyWindowMs);
  return {
    url,
    database,
    log: new InboxLog(database),
    replays: new InboxReplays(database),
    changes: new InboxChanges(database),
    departures: new InboxDepartures(database),
    receipts: new ReceiptLog(database),
    sent: new SentNotifications(database, { defaultPageSize: 20, maxPageSize: 100 }),
    write,
    async store(items) {
      return (await write(items)).map(eventOf);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function resultOf(result: SendResult | Error | undefined): SendResult {
  if (!result || result instanceof Error) throw result ?? new Error('there is no result');
  return result;
}

export function eventOf(result: SendResult | Error | undefined): InboxEvent {
  const { event } = resultOf(result);
  if (!event) throw new Error('an earlier notification answered');
  return event;
}

/** Somebody with a token of that tenant and user. */
export const callerAt = ({ tenantId, userId }: InboxAddress): Caller => ({
  tenantId,
  userId,
  roles: [],
  expiresAtMs: Number.POSITIVE_INFINITY,
  issuedAtMs: 0,
  sessionId: undefined,
});

export const newAddress = (): InboxAddress => ({ tenantId: 'acme', userId: randomUUID() });

export function sendItem({ tenantId, userId }: InboxAddress, overrides: Partial<SendItem> = {}): SendItem {
  return {
    id: uuidv7(),
    tenantId,
    recipientId: userId,
    senderId: 'sender',
    type: 'SYSTEM',
    priority: 'NORMAL',
    channel: 'IN_APP',
    channels: [],
    addresses: [],
    targets: [],
    title: 'Title',
    content: 'Content',
    link: null,
    data: null,
    dataJson: null,
    relatedType: null,
    relatedId: null,
    idempotencyKey: null,
    expiresAt: null,
    sendAt: null,
    ...overrides,
  };
}

export const sendItems = (address: InboxAddress, count: number): SendItem[] =>
  Array.from({ length: count }, (_, index) => sendItem(address, { title: `Title ${index}` }));

export const numbers = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, index) => from + index);

/** Numbers from 0 up to 1 that are the same for the same seed: mulberry32, by Tommy Ettinger. */
export function createRandom(seed: number) {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const below = (end: number): number => Math.floor(next() * end);
  return {
    chance: (share: number): boolean => next() < share,
    below,
    /** Up to `most` different elements. */
    some: <T>(list: readonly T[], most: number): T[] => {
      const count = Math.min(list.length, 1 + below(most));
      return [...new Set(Array.from({ length: count }, () => list[below(list.length)] as T))];
    },
  };
}
