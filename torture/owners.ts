import { setTimeout as delay } from 'node:timers/promises';
import type { Act, Fate, Ledger } from './ledger.ts';
import type { Inbox, Known } from './population.ts';
import type { Random } from './random.ts';
import { type Caller, graphql } from './request.ts';

export interface OwnersOptions {
  caller: Caller;
  ledger: Ledger;
  inboxes: readonly Inbox[];
  urls: readonly string[];
  random: Random;
}

const ATTEMPTS = 40;
const LEAST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 600;
const MOST_IDS = 12;

/** People deal with what is new: the range of an inbox, from its end, that is acted on. */
const RECENT = 150;

const PASSING = new Set(['UNAVAILABLE', 'RATE_LIMITED']);

const MARK_READ = 'mutation ($id: ID!) { markRead(id: $id) { id isRead } }';
const MARK_UNREAD = 'mutation ($id: ID!) { markUnread(id: $id) { id isRead } }';
const BATCH_MARK_READ = 'mutation ($ids: [ID!]!) { batchMarkRead(ids: $ids) { count } }';
const MARK_ALL_READ = 'mutation ($upTo: String) { markAllRead(upTo: $upTo) { count } }';
const RECALL = 'mutation ($id: ID!) { recall(id: $id) { id } }';
const DELETE = 'mutation ($id: ID!) { delete(id: $id) { id } }';

/** Acts and how often, out of their sum. */
const WEIGHTS = { read: 30, batch: 20, unread: 20, delete: 16, recall: 6, all: 8 } as const;

/** The people whose inboxes they are: they read, unread, delete and, as admins, recall at random, and try again until it is done. */
export class Owners {
  readonly #options: OwnersOptions;

  constructor(options: OwnersOptions) {
    this.#options = options;
  }

  /** One act of somebody. */
  async any(): Promise<void> {
    const { random, inboxes } = this.#options;
    const inbox = random.pick(inboxes);
    const recent = inbox.known.slice(-RECENT);
    if (recent.length === 0) return;
    const known = random.pick(recent);
    const act = this.#pickAct();
    if (act === 'all') return this.#markAllRead(inbox, known);
    if (act === 'batch') {
      const ids = random.sample(recent, random.integer(1, MOST_IDS)).map(({ id }) => id);
      return this.#act('read', ids, (url) => this.#batch(url, inbox, ids));
    }
    if (act === 'delete' || act === 'recall') inbox.known.splice(inbox.known.indexOf(known), 1);
    return this.#act(act, [known.id], (url) => this.#one(url, inbox, act, known.id));
  }

  #pickAct(): keyof typeof WEIGHTS {
    const acts = Object.entries(WEIGHTS) as [keyof typeof WEIGHTS, number][];
    let at = this.#options.random.between(
      0,
      acts.reduce((sum, [, weight]) => sum + weight, 0),
    );
    for (const [act, weight] of acts) {
      at -= weight;
      if (at < 0) return act;
    }
    return 'read';
  }

  async #act(act: Act, ids: readonly string[], attempt: (url: string) => Promise<boolean>) {
    const { ledger } = this.#options;
    const fates: Fate[] = ids.map((id) => ledger.fateOf(id));
    for (const { tried } of fates) tried.add(act);
    if (await this.#untilDone(attempt)) for (const { acknowledged } of fates) acknowledged.add(act);
  }

  async #markAllRead(inbox: Inbox, { id, cursor }: Known): Promise<void> {
    const { ledger, caller } = this.#options;
    if (cursor === '') return;
    const done = await this.#untilDone((url) =>
      this.#ask({ url, inbox, query: MARK_ALL_READ, variables: { upTo: cursor } }, caller),
    );
    const before = ledger.allRead.get(inbox);
    // Cursors of one inbox that are equally long sort like their versions.
    if (
      done &&
      (before === undefined || before.length < cursor.length || (before.length === cursor.length && before < cursor))
    ) {
      ledger.allRead.set(inbox, cursor);
    }
    if (done) ledger.fateOf(id);
  }

  async #untilDone(attempt: (url: string) => Promise<boolean>): Promise<boolean> {
    const { random, urls, ledger } = this.#options;
    for (let tries = 0; tries < ATTEMPTS; tries++) {
      try {
        if (await attempt(random.pick(urls))) {
          ledger.mutations += 1;
          return true;
        }
      } catch {
        // Each act may be repeated: what is done already stays as it is.
      }
      await delay(random.between(LEAST_PAUSE_MS, MOST_PAUSE_MS));
    }
    ledger.mutationsGivenUp += 1;
    return false;
  }

  #one(url: string, inbox: Inbox, act: Act, id: string): Promise<boolean> {
    const { caller, random } = this.#options;
    if (act !== 'unread' && random.chance(1 / 3)) return this.#overRest(url, inbox, act, id);
    const query = { read: MARK_READ, unread: MARK_UNREAD, delete: DELETE, recall: RECALL }[act];
    return this.#ask({ url, inbox, query, variables: { id } }, caller);
  }

  #batch(url: string, inbox: Inbox, ids: readonly string[]): Promise<boolean> {
    return this.#ask({ url, inbox, query: BATCH_MARK_READ, variables: { ids } }, this.#options.caller);
  }

  async #overRest(url: string, { token }: Inbox, act: Act, id: string): Promise<boolean> {
    const { caller, ledger } = this.#options;
    const path = `/api/v1/notifications/${id}`;
    const { status, body } = await caller.ask(
      act === 'delete'
        ? { url, token, method: 'DELETE', path }
        : act === 'recall'
          ? { url, token, method: 'POST', path: `${path}/recall` }
          : { url, token, method: 'PUT', path: `${path}/read`, body: {} },
    );
    // An earlier attempt, or another device, has deleted it.
    if (status === 200 || status === 404) return true;
    if (!PASSING.has(body?.reason as string))
      ledger.surprise(`REST ${act}: ${status} ${body?.reason} ${body?.message}`);
    return false;
  }

  async #ask(
    { url, inbox, query, variables }: { url: string; inbox: Inbox; query: string; variables: unknown },
    caller: Caller,
  ): Promise<boolean> {
    const answer = await graphql(caller, { url, token: inbox.token, query, variables });
    if ('data' in answer || answer.code === 'NOT_FOUND') return true;
    if (!PASSING.has(answer.code)) this.#options.ledger.surprise(`mutation: ${answer.code} ${answer.message}`);
    return false;
  }
}
