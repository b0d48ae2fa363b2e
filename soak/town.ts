import type { Inbox } from '../torture/population.ts';
import type { Random } from '../torture/random.ts';
import { type Answer, type Ask, type Caller, graphql } from '../torture/request.ts';
import type { Arrivals } from './arrivals.ts';

/** An act of somebody; resolves when it is answered. */
export type Act = (town: Town) => Promise<void>;

export interface TownOptions {
  caller: Caller;
  inboxes: readonly Inbox[];
  urls: readonly string[];
  random: Random;
  arrivals: Arrivals;
}

/** Ids that are kept of an inbox: people deal with what is new. */
const MOST_KNOWN = 150;

/** What acts need: who there is, where to ask, and where to write down what was answered. */
export class Town {
  readonly random: Random;
  readonly inboxes: readonly Inbox[];
  readonly arrivals: Arrivals;
  /** Answers that nothing explains. */
  readonly surprises = new Map<string, number>();
  acts = 0;
  readonly #caller: Caller;
  readonly #urls: readonly string[];

  constructor({ caller, inboxes, urls, random, arrivals }: TownOptions) {
    this.#caller = caller;
    this.#urls = urls;
    this.random = random;
    this.inboxes = inboxes;
    this.arrivals = arrivals;
  }

  anybody(): Inbox {
    return this.random.pick(this.inboxes);
  }

  /** Somebody of the same tenant. */
  neighbourOf({ tenantId }: Inbox): Inbox {
    return this.random.pick(this.inboxes.filter((inbox) => inbox.tenantId === tenantId));
  }

  learn(inbox: Inbox, id: string): void {
    inbox.known.push({ id, cursor: '' });
    if (inbox.known.length > MOST_KNOWN) inbox.known.splice(0, inbox.known.length - MOST_KNOWN);
  }

  surprise(words: string): void {
    this.surprises.set(words, (this.surprises.get(words) ?? 0) + 1);
  }

  /** The data of an answer; nothing where it is one of the refusals that the asker reckons with. */
  async ask<T = Record<string, unknown>>(
    { token }: Pick<Inbox, 'token'>,
    query: string,
    { variables = {}, may = [] }: { variables?: Record<string, unknown>; may?: readonly string[] } = {},
  ): Promise<T | undefined> {
    const answer = await graphql(this.#caller, { url: this.random.pick(this.#urls), token, query, variables });
    if ('data' in answer) return answer.data as T;
    if (!may.includes(answer.code)) this.surprise(`${query.slice(0, 40)}…: ${answer.code} ${answer.message}`);
    return undefined;
  }

  /** An answer of REST; one that is neither 200 nor expected is written down. */
  async rest(ask: Omit<Ask, 'url'>, may: readonly number[] = []): Promise<Answer> {
    const answer = await this.#caller.ask({ ...ask, url: this.random.pick(this.#urls) });
    const { status, body } = answer;
    if (status !== 200 && !may.includes(status)) {
      const path = ask.path.replace(/[0-9a-f-]{36}/, '…');
      this.surprise(`${ask.method} ${path}: ${status} ${body?.reason} ${body?.message}`);
    }
    return answer;
  }
}
