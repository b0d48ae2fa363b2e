import { Agent, request } from 'node:http';

export interface Answer {
  status: number;
  // biome-ignore lint: callers know what they asked for
  body: any;
}

export interface Ask {
  url: string;
  method: string;
  path: string;
  token: string;
  body?: unknown;
  headers?: Record<string, string>;
}

/** While servers are killed an answer that takes longer is given up; the request may still be carried out. */
const TIMEOUT_MS = 6000;

/** Connections are kept, so that some of them are dead when they are used again. */
export class Caller implements Disposable {
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #timeoutMs: number;

  constructor(timeoutMs = TIMEOUT_MS) {
    this.#timeoutMs = timeoutMs;
  }

  /** @throws Error when no whole answer comes in time. */
  ask({ url, method, path, token, body, headers = {} }: Ask): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const text = body === undefined ? '' : JSON.stringify(body);
    const outgoing = request(`${url}${path}`, {
      method,
      agent: this.#agent,
      headers: {
        accept: 'application/json',
        authorization: `Bearer ${token}`,
        ...(text === '' ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...headers,
      },
    });
    const late = setTimeout(() => outgoing.destroy(new Error('no answer in time')), this.#timeoutMs);
    outgoing.on('error', reject);
    outgoing.on('response', (response) => {
      let received = '';
      response.setEncoding('utf8').on('data', (chunk: string) => {
        received += chunk;
      });
      response.on('error', reject);
      response.on('close', () => reject(new Error('the answer was cut off')));
      response.on('end', () => {
        try {
          resolve({ status: response.statusCode ?? 0, body: received === '' ? undefined : JSON.parse(received) });
        } catch {
          reject(new Error('the answer is not JSON'));
        }
      });
    });
    outgoing.end(text);
    return promise.finally(() => clearTimeout(late));
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** The data of a GraphQL answer, or what the server said instead. */
export async function graphql(
  caller: Caller,
  { url, token, query, variables }: { url: string; token: string; query: string; variables: unknown },
): Promise<{ data: Record<string, unknown> } | { code: string; message: string }> {
  const { body } = await caller.ask({ url, token, method: 'POST', path: '/graphql', body: { query, variables } });
  const [error] = (body?.errors ?? []) as { message: string; extensions?: { code?: string } }[];
  if (error) return { code: error.extensions?.code ?? 'UNKNOWN', message: error.message };
  return { data: body.data as Record<string, unknown> };
}
