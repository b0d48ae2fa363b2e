import type { Door, Job } from './jobs.ts';
import { type Answer, Lane, requestText } from './lane.ts';
import { tokenOf } from './people.ts';

const SEND = 'mutation ($input: SendInput!) { send(input: $input) { id } }';
const CONTENT = 'What you asked for has been put together. It is about as long as most notifications are.';

export const isGood = ({ status, body }: Answer): boolean => status === 200 && !body.includes('"errors"');

/** Somebody who sends at one of the doors, one after the other. */
export class Sender implements Disposable {
  refused = 0;
  readonly #url: string;
  readonly #token: string;
  readonly #door: Door;
  readonly #lane: Lane;

  private constructor(url: string, token: string, door: Door, lane: Lane) {
    this.#url = url;
    this.#token = token;
    this.#door = door;
    this.#lane = lane;
  }

  static async open(job: Job, name: string, door: Door): Promise<Sender> {
    return new Sender(job.url, tokenOf(job, name), door, await Lane.open(job.url, job.from));
  }

  get isOpen(): boolean {
    return this.#lane.isOpen;
  }

  /** Whether it was acknowledged. Rejects when the connection is lost. */
  async send(recipientId: string, title: string): Promise<boolean> {
    const good = isGood(await this.#lane.request(this.#requestText(recipientId, title)));
    if (!good) this.refused += 1;
    return good;
  }

  #requestText(recipientId: string, title: string): string {
    const to = { url: this.#url, token: this.#token };
    if (this.#door === 'rest') {
      const body = { user_id: recipientId, type: 'system', title, content: CONTENT };
      return requestText('/api/v1/notifications', { ...to, body });
    }
    const variables = { input: { recipientId, type: 'SYSTEM', title, content: CONTENT } };
    return requestText('/graphql', { ...to, body: { query: SEND, variables } });
  }

  [Symbol.dispose](): void {
    this.#lane[Symbol.dispose]();
  }
}
