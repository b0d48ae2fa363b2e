import { setTimeout as delay } from 'node:timers/promises';
import type { Ledger, Send } from './ledger.ts';
import type { Inbox, Known } from './population.ts';
import type { Random } from './random.ts';
import { type Answer, type Caller, graphql } from './request.ts';

export interface SendersOptions {
  caller: Caller;
  ledger: Ledger;
  inboxes: readonly Inbox[];
  urls: readonly string[];
  random: Random;
}

export interface SendOptions {
  /** Characters; each takes three bytes on the wire. */
  contentLength?: number;
  /** How often to try before it is given up. */
  attempts?: number;
}

const SEND = `mutation ($input: SendInput!) { send(input: $input) { id cursor } }`;

const MANY_ATTEMPTS = 60;
const LEAST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 600;

/** Callers that do not come back after a failure. */
const IMPATIENT = 0.08;

/** Sends that are made twice at once, under one key. */
const TWICE = 0.04;

/** How many sends of a burst are under way at once. */
const BURST_WIDTH = 24;

/** What a server may well answer while something is broken. */
const PASSING = new Set(['UNAVAILABLE', 'RATE_LIMITED']);

/** Everybody who sends. Each send has a key and is tried again under it until it is acknowledged or given up. */
export class Senders {
  readonly #options: SendersOptions;
  #count = 0;

  constructor(options: SendersOptions) {
    this.#options = options;
  }

  /** One send of somebody to somebody, as patient as such people are. */
  async any(): Promise<void> {
    const { random, inboxes } = this.#options;
    const recipient = random.pick(inboxes);
    const attempts = random.chance(IMPATIENT) ? 1 : MANY_ATTEMPTS;
    if (!random.chance(TWICE)) return this.send(recipient, { attempts });
    const send = this.#begin(recipient);
    await Promise.all([this.#deliver(send, 0, attempts), this.#deliver(send, 0, attempts)]);
  }

  async send(recipient: Inbox, { contentLength = 0, attempts = MANY_ATTEMPTS }: SendOptions = {}): Promise<void> {
    await this.#deliver(this.#begin(recipient), contentLength, attempts);
  }

  /** Many large ones to one inbox, as fast as they are taken. */
  async burst(recipient: Inbox, count: number, contentLength: number): Promise<void> {
    let left = count;
    const work = async (): Promise<void> => {
      while (left > 0) {
        left -= 1;
        await this.send(recipient, { contentLength });
      }
    };
    await Promise.all(Array.from({ length: BURST_WIDTH }, work));
  }

  #begin(recipient: Inbox): Send {
    const { random, inboxes, ledger } = this.#options;
    const sender = random.pick(inboxes.filter(({ tenantId }) => tenantId === recipient.tenantId));
    this.#count += 1;
    return ledger.begin(`key-${this.#count}`, sender, recipient);
  }

  async #deliver(send: Send, contentLength: number, attempts: number): Promise<void> {
    const { random, urls, ledger } = this.#options;
    for (let attempt = 1; attempt <= attempts; attempt++) {
      const url = random.pick(urls);
      try {
        // Two doors may word the same content differently: a key stays with one of them.
        const isRest = Number(send.key.slice('key-'.length)) % 3 === 0;
        const known = await (isRest
          ? this.#overRest(url, send, contentLength)
          : this.#overGraphQL(url, send, contentLength));
        if (known) {
          ledger.acknowledge(send, known);
          return;
        }
      } catch {
        // The answer is lost, and perhaps the request: the key makes another try safe.
      }
      if (attempt < attempts) await delay(random.between(LEAST_PAUSE_MS, MOST_PAUSE_MS));
    }
  }

  async #overGraphQL(url: string, send: Send, contentLength: number): Promise<Known | undefined> {
    const { caller, ledger } = this.#options;
    const input = {
      ...contentOf(send, contentLength),
      recipientId: send.recipient.userId,
      relatedId: send.key,
      idempotencyKey: send.key,
    };
    const answer = await graphql(caller, { url, token: send.sender.token, query: SEND, variables: { input } });
    if ('data' in answer) return answer.data['send'] as Known;
    if (!PASSING.has(answer.code)) ledger.surprise(`send: ${answer.code} ${answer.message}`);
    return undefined;
  }

  async #overRest(url: string, send: Send, contentLength: number): Promise<Known | undefined> {
    const { caller, ledger } = this.#options;
    const answer: Answer = await caller.ask({
      url,
      method: 'POST',
      path: '/api/v1/notifications',
      token: send.sender.token,
      headers: { 'idempotency-key': send.key },
      body: { ...contentOf(send, contentLength), user_id: send.recipient.userId, related_id: send.key },
    });
    const { id, reason, message } = (answer.body ?? {}) as Record<string, string | undefined>;
    if (answer.status === 200 && id !== undefined) return { id, cursor: '' };
    if (!PASSING.has(reason ?? '')) ledger.surprise(`REST send: ${answer.status} ${reason} ${message}`);
    return undefined;
  }
}

const contentOf = ({ key }: Send, contentLength: number) => ({
  title: `Notification of ${key}`,
  content: contentLength === 0 ? `What ${key} says` : '語'.repeat(contentLength),
  data: { key },
});
