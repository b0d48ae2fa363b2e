import { type FrameLog, type PaneId, now } from '../log/frames.ts';

/** Longer answers are of no use in a log. */
const MOST_TEXT = 200_000;

/** `fetch` as it is, told to the log: each request, and its answer with the time it took. */
export class RecordingFetch {
  readonly #log: FrameLog;
  readonly #native: typeof fetch = globalThis.fetch.bind(globalThis);
  readonly #paneOf = new Map<string, PaneId>();

  constructor(log: FrameLog) {
    this.#log = log;
  }

  /** Records every request of the page from now on, also those of libraries. */
  install(): void {
    globalThis.fetch = (input, init) => this.fetch(input, init);
  }

  /** Requests with this token are of this pane. Both tokens are hidden in the log. */
  owns(pane: PaneId, access: string, refresh: string | null): void {
    this.#log.redactor.hide(access);
    this.#log.redactor.hide(refresh ?? '');
    this.#paneOf.set(`Bearer ${access}`, pane);
  }

  async fetch(input: RequestInfo | URL, init: RequestInit = {}, of?: PaneId): Promise<Response> {
    const { method = 'GET', body } = init;
    const url = new URL(input instanceof Request ? input.url : input, document.baseURI);
    const pane = of ?? this.#paneOf.get(new Headers(init.headers).get('authorization') ?? '') ?? null;
    const type = `${method} ${url.pathname}${operationOf(body)}`;
    const text = `${method} ${url.pathname}${url.search}${typeof body === 'string' ? `\n\n${body}` : ''}`;
    const add = (direction: 'out' | 'in', shown: string, asType: string, latencyMs?: number): void =>
      this.#log.add({ pane, line: 'http', direction, text: shown, type: asType, latencyMs });
    const started = now();
    add('out', text, type);
    try {
      const response = await this.#native(input, init);
      const answer = await response.clone().text();
      add('in', `${response.status}\n\n${answer.slice(0, MOST_TEXT)}`, `${response.status} ${type}`, now() - started);
      return response;
    } catch (error) {
      add('in', String(error), `× ${type}`, now() - started);
      throw error;
    }
  }
}

const OPERATION = /"(?:query|operationName)":"(?:query |mutation )?(\w+)/;

function operationOf(body: unknown): string {
  const name = typeof body === 'string' ? OPERATION.exec(body)?.[1] : undefined;
  return name === undefined ? '' : ` ${name}`;
}
