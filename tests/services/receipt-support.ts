import { createLogger } from '../../src/logger.ts';
import { createInProcessTopics } from '../../src/pubsub/in-process.ts';
import type { Topics } from '../../src/pubsub/topics.ts';
import type { InboxAddress } from '../../src/services/caller.ts';
import type { Receipt } from '../../src/services/receipt.ts';
import type { ReceiptListener } from '../../src/services/receipt-listener.ts';
import type { ReceiptLog } from '../../src/services/receipt-log.ts';
import { ReceiptSequencer } from '../../src/services/receipt-sequencer.ts';
import { Receipts } from '../../src/services/receipts.ts';
import { type Services, callerAt, newAddress, sendItem } from './support.ts';
import { ofEveryTenant } from '../support/every-tenant.ts';

const HOUR_MS = 3_600_000;
const logger = createLogger({ level: 'silent', format: 'json' });

export interface PostOptions {
  topics?: Topics;
  log?: ReceiptLog;
  sweepIntervalMs?: number;
}

/** What an instance has for receipts. Nothing of it acts by a timer, unless a test says so. */
export class Post implements AsyncDisposable {
  readonly topics: Topics;
  readonly sequencer: ReceiptSequencer;
  readonly receipts: Receipts;
  readonly #services: Services;

  constructor(services: Services, { topics, log, sweepIntervalMs = HOUR_MS }: PostOptions = {}) {
    this.#services = services;
    this.topics = topics ?? createInProcessTopics();
    const shared = { log: log ?? services.receipts, topics: this.topics, logger };
    this.sequencer = new ReceiptSequencer({ ...shared, sweepIntervalMs });
    this.receipts = ofEveryTenant(new Receipts({ ...shared, sweepIntervalMs: HOUR_MS }));
  }

  /** Marks as read, as a door would have it. */
  async read(reader: InboxAddress, ids: readonly string[]): Promise<void> {
    const { senders } = await this.#services.changes.markRead(reader, ids);
    if (senders) this.sequencer.add(reader.tenantId, senders);
  }

  async unread(reader: InboxAddress, id: string): Promise<void> {
    const { senders } = await this.#services.changes.markUnread(reader, id);
    if (senders) this.sequencer.add(reader.tenantId, senders);
  }

  listen(sender: InboxAddress, after?: string): Promise<ReceiptListener> {
    return this.receipts.stream(callerAt(sender), after);
  }

  cursor(sender: InboxAddress): Promise<string> {
    return this.receipts.cursor(callerAt(sender));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.receipts[Symbol.asyncDispose]();
    await this.sequencer[Symbol.asyncDispose]();
  }
}

/** The next so many; rejects when the stream ends before. */
export async function take(listener: ReceiptListener, count: number): Promise<Receipt[]> {
  const taken: Receipt[] = [];
  while (taken.length < count) {
    const { done, value } = await listener.next();
    if (done) throw new Error(`the stream ended after ${taken.length}`);
    taken.push(value);
  }
  return taken;
}

export const idsOf = (receipts: readonly Receipt[]): string[] => receipts.map(({ notificationId }) => notificationId);
export const versionsOf = (receipts: readonly Receipt[]): number[] => receipts.map(({ version }) => version);

export interface Sending {
  readonly sender: InboxAddress;
  readonly reader: InboxAddress;
  readonly ids: string[];
}

/** One person sends so many to another. */
export async function sendSome(services: Services, count: number, people: Partial<Sending> = {}): Promise<Sending> {
  const { sender = newAddress(), reader = newAddress() } = people;
  const items = Array.from({ length: count }, () => sendItem(reader, { senderId: sender.userId }));
  await services.store(items);
  return { sender, reader, ids: items.map(({ id }) => id) };
}
