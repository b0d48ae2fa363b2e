import type { IncomingMessage } from 'node:http';
import type { GraphQLError } from 'graphql';
import { pointsOfBytes } from '../../services/rate-limits.ts';
import { hasMoreValues } from '../json-text.ts';
import { refusal } from './errors.ts';

export interface BodyLimits {
  readonly maxBodyBytes: number;
  readonly maxBodyValues: number;
  /** Counts what a body is worth beyond what any request is. @throws CarillonError RATE_LIMITED. */
  readonly spend: (request: IncomingMessage, points: number) => void;
}

const JSON_TYPE = /^application\/json *(;|$)/i;

export const isJson = ({ headers }: IncomingMessage): boolean => JSON_TYPE.test(headers['content-type'] ?? '');

const utf8 = new TextDecoder('utf-8', { fatal: true });

/**
 * The JSON value of a request's body.
 *
 * What is too large is refused at once. Whoever answers sees to the rest of it.
 *
 * @throws GraphQLError with status 413, 415 or 400; CarillonError RATE_LIMITED.
 */
export async function readJson(request: IncomingMessage, { maxBodyBytes, maxBodyValues, spend }: BodyLimits) {
  if (!isJson(request)) {
    throw refusal('UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.', { status: 415 });
  }
  const body = await readBody(request, maxBodyBytes);
  spend(request, pointsOfBytes(body.length));
  if (hasMoreValues(body, maxBodyValues)) {
    throw refusal('PAYLOAD_TOO_LARGE', `The body has more than ${maxBodyValues} values.`, { status: 413 });
  }
  try {
    return JSON.parse(utf8.decode(body)) as unknown;
  } catch {
    throw malformed('The body is not valid JSON.');
  }
}

/** A request that cannot be understood: 400, whatever the client accepts. */
export const malformed = (message: string): GraphQLError => refusal('BAD_USER_INPUT', message, { status: 400 });

async function readBody(request: IncomingMessage, mostBytes: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  const chunks: Buffer[] = [];
  let size = 0;
  const refuse = (): void => {
    request.off('data', take).pause();
    chunks.length = 0;
    reject(refusal('PAYLOAD_TOO_LARGE', `The body is larger than ${mostBytes} bytes.`, { status: 413 }));
  };
  const take = (chunk: Buffer): void => {
    size += chunk.length;
    if (size <= mostBytes) chunks.push(chunk);
    else refuse();
  };
  request.once('error', () => reject(malformed('The body was cut off.')));
  if (Number(request.headers['content-length']) > mostBytes) {
    refuse();
    return promise;
  }
  request.on('data', take);
  request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)));
  return promise;
}
