import type { IncomingMessage } from 'node:http';
import type { GraphQLError } from 'graphql';
import { refusal } from './errors.ts';

const JSON_TYPE = /^application\/json *(;|$)/i;

export const isJson = ({ headers }: IncomingMessage): boolean => JSON_TYPE.test(headers['content-type'] ?? '');

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The JSON value of a request's body.
 *
 * What is too large is refused at once, yet read to its end and dropped: a client that writes all before it reads would
 * else never come to the answer. The server's time for a request bounds that.
 *
 * @throws GraphQLError with status 413, 415 or 400.
 */
export async function readJson(request: IncomingMessage, mostBytes: number): Promise<unknown> {
  if (!isJson(request)) {
    throw refusal('UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.', { status: 415 });
  }
  const body = await readBody(request, mostBytes);
  try {
    return JSON.parse(utf8.decode(body));
  } catch {
    throw malformed('The body is not valid JSON.');
  }
}

/** A request that cannot be understood: 400, whatever the client accepts. */
export const malformed = (message: string): GraphQLError => refusal('BAD_USER_INPUT', message, { status: 400 });

async function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const refuse = (): void => {
    reject(refusal('PAYLOAD_TOO_LARGE', `The body is larger than ${mostBytes} bytes.`, { status: 413 }));
  };
  const chunks: Buffer[] = [];
  let size = 0;
  if (Number(request.headers['content-length']) > mostBytes) refuse();
  request.on('data', (chunk: Buffer) => {
    size += chunk.length;
    if (size <= mostBytes) chunks.push(chunk);
    else {
      chunks.length = 0;
      refuse();
    }
  });
  request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
  request.once('error', () => reject(malformed('The body was cut off.')));
  return promise;
}
