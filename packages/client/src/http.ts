import { CarillonError, fromWire } from './errors.ts';

/** A request that is not answered for so long is given up. */
const TIMEOUT_MS = 15_000;

/** In characters: far below the 64 KiB that the requests of a page may have together (Fetch, section 4.6). */
const KEPT_ALIVE = 2000;

/**
 * The token of the signed-in user. It is asked for at each connection and request, so a callback may keep one and refresh
 * it; `refused` tells that the server did not take the last one.
 */
export type TokenSource = string | ((context: { refused: boolean }) => string | Promise<string>);

export async function bearer(token: TokenSource, refused: boolean): Promise<string> {
  try {
    return `Bearer ${typeof token === 'string' ? token : await token({ refused })}`;
  } catch (cause) {
    if (cause instanceof CarillonError) throw cause;
    throw new CarillonError('UNAUTHENTICATED', 'There is no token.', { cause });
  }
}

/**
 * One query or mutation by POST. A token that the server refuses is asked for once more.
 *
 * @throws CarillonError with the server's code, or `UNREACHABLE`
 */
export async function post<T>(endpoint: string, token: TokenSource, query: string, variables: object): Promise<T> {
  const body = JSON.stringify({ query, variables });
  const attempt = async (refused: boolean): Promise<T> => {
    const authorization = await bearer(token, refused);
    let answer: { data?: T | null; errors?: Parameters<typeof fromWire>[0] };
    try {
      const response = await fetch(endpoint, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', authorization },
        body,
        // A page may be left at once by what was just marked as read. Browsers allow this for small requests only.
        keepalive: body.length < KEPT_ALIVE,
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      answer = await response.json();
    } catch (cause) {
      throw new CarillonError('UNREACHABLE', 'The server cannot be reached.', { cause });
    }
    if (answer.errors || !answer.data) throw fromWire(answer.errors ?? []);
    return answer.data;
  };
  try {
    return await attempt(false);
  } catch (error) {
    const isRefused = error instanceof CarillonError && error.code === 'UNAUTHENTICATED';
    if (!isRefused || typeof token === 'string') throw error;
    return attempt(true);
  }
}
