import { METHODS, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { hasZodFastifySchemaValidationErrors } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { CarillonError, MASKED_MESSAGE, badInput } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { POINTS_OF_BAD_TOKEN, type RateLimits, pointsOfBytes } from '../../services/rate-limits.ts';
import type { AddressOf } from '../address.ts';
import { dropBody } from '../drop.ts';
import { hold } from '../hold.ts';

/** Every refusal of the REST door has this body. */
export const errorBody = z
  .object({
    code: z.int().meta({ description: 'The HTTP status.' }),
    reason: z.string().meta({ description: 'The kind of error, as in GraphQL’s extensions.code.' }),
    message: z.string(),
    metadata: z
      .object({ field: z.string().optional(), retry_after: z.number().optional() })
      .meta({ description: '`field` names the input at fault; `retry_after` the seconds to wait.' }),
  })
  .meta({ id: 'Error' });

export const toSnakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** What has another name here than in GraphQL. */
const REST_NAMES: ReadonlyMap<string, string> = new Map([
  ['recipientId', 'user_id'],
  ['idempotencyKey', 'idempotency-key'],
]);

const restName = (field: string): string => REST_NAMES.get(field) ?? toSnakeCase(field);

/** What Fastify itself refuses, before a route sees the request. */
const FASTIFY_ERRORS: Record<string, [code: CarillonError['code'], message: string]> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['UNSUPPORTED_MEDIA_TYPE', 'The body must be application/json.'],
  FST_ERR_CTP_BODY_TOO_LARGE: ['PAYLOAD_TOO_LARGE', 'The body is too large.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['BAD_USER_INPUT', 'The body does not have the length that was announced.'],
  FST_ERR_BAD_URL: ['BAD_USER_INPUT', 'The address is not a valid URL path.'],
};

export function toCarillonError(error: unknown): CarillonError | undefined {
  if (error instanceof CarillonError) return error;
  if (hasZodFastifySchemaValidationErrors(error)) {
    const issue = error.validation[0];
    const path = issue?.instancePath.split('/').filter(Boolean) ?? [];
    const field = path[0] ?? 'body';
    return badInput(field, `${path.join('.') || 'The body'}: ${issue?.message ?? 'is not valid'}.`);
  }
  const { code = '', statusCode = 500, message } = (error ?? {}) as Partial<FastifyError>;
  const known = FASTIFY_ERRORS[code];
  if (known) return new CarillonError(...known);
  // Only Fastify's own: an error from further inside may have a status too, which is not about this request.
  if (code.startsWith('FST_') && statusCode < 500) return new CarillonError('BAD_USER_INPUT', message ?? '');
  // Whoever was sending the body has gone.
  return code === 'ECONNRESET' && statusCode === 400
    ? new CarillonError('BAD_USER_INPUT', 'The body was cut off.')
    : undefined;
}

export function sendError(reply: FastifyReply, error: CarillonError): void {
  const { code: reason, message, field, httpStatus: code, retryAfterSeconds } = error;
  const metadata = {
    ...(field === undefined ? {} : { field: restName(field) }),
    ...(retryAfterSeconds === undefined ? {} : { retry_after: retryAfterSeconds }),
  };
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds));
  if (code === 401) reply.header('www-authenticate', 'Bearer');
  void reply
    .code(code)
    .type('application/json; charset=utf-8')
    .serializer(JSON.stringify)
    .send({ code, reason, message, metadata });
}

const UNREADABLE = { status: 400, message: 'The request is not valid HTTP.' };
const UNREADABLE_BY_CODE: ReadonlyMap<string | undefined, typeof UNREADABLE> = new Map([
  ['ERR_HTTP_REQUEST_TIMEOUT', { status: 408, message: 'The request did not arrive in time.' }],
  ['HPE_HEADER_OVERFLOW', { status: 431, message: 'The address and the headers are too large.' }],
]);

/** Answers what Node could not read as a request, so that no route ever sees it, and closes. It counts like one. */
export async function answerClientError(
  { code: fault }: NodeJS.ErrnoException,
  socket: Socket,
  { rateLimits, addressOf }: Omit<ErrorsOptions, 'logger'>,
): Promise<void> {
  if (fault === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  try {
    rateLimits.spendOfAddress(addressOf({ socket, headers: {} }), 'rest');
  } catch (error) {
    await hold(error);
    socket.destroy();
    return;
  }
  const { status: code, message } = UNREADABLE_BY_CODE.get(fault) ?? UNREADABLE;
  const body = JSON.stringify({ code, reason: 'BAD_USER_INPUT', message, metadata: {} });
  socket.end(
    [
      `HTTP/1.1 ${code} ${STATUS_CODES[code]}`,
      'Connection: close',
      'Content-Type: application/json; charset=utf-8',
      `Content-Length: ${Buffer.byteLength(body)}`,
      '',
      body,
    ].join('\r\n'),
  );
}

export interface ErrorsOptions {
  logger: Logger;
  rateLimits: RateLimits;
  addressOf: AddressOf;
}

/** Gives every failure the contract's body, and every known path the right answer to a foreign method. */
export function installErrors(app: FastifyInstance, { logger, rateLimits, addressOf }: ErrorsOptions): void {
  app.setErrorHandler(async (error: unknown, request: FastifyRequest, reply) => {
    const known = toCarillonError(error);
    request.within(() => {
      if (!known) logger.error({ err: error }, 'a REST request failed');
      else if (known.cause !== undefined) logger.warn({ err: known.cause }, known.message);
    });
    if (known?.code === 'UNAUTHENTICATED') rateLimits.chargeOfAddress(addressOf(request.raw), POINTS_OF_BAD_TOKEN);
    // Fastify closes where a body is too large.
    if (known?.code === 'PAYLOAD_TOO_LARGE') reply.removeHeader('connection');
    if (known?.code === 'PAYLOAD_TOO_LARGE' || known?.code === 'RATE_LIMITED') {
      dropBody(request.raw, reply.raw, (bytes) => {
        return known.code !== 'RATE_LIMITED' && rateLimits.canPay(addressOf(request.raw), pointsOfBytes(bytes));
      });
    }
    await hold(known);
    sendError(reply, known ?? new CarillonError('INTERNAL_SERVER_ERROR', MASKED_MESSAGE));
    return reply;
  });
  // Before the body is read: whatever it is, it is not wanted.
  app.addHook('onRequest', async (request) => {
    if (request.is404) throw new CarillonError('NOT_FOUND', 'There is nothing at this address.');
  });
}

/** Answers 405 with `Allow` on each path that has routes, for every method that it does not have. Call it last. */
export function refuseOtherMethods(app: FastifyInstance, methodsOf: ReadonlyMap<string, ReadonlySet<string>>): void {
  // Node hands a CONNECT to nobody, and answers it by closing.
  const foreign = METHODS.filter((method) => method !== 'CONNECT' && !app.supportedMethods.includes(method));
  for (const method of foreign) app.addHttpMethod(method);
  for (const [url, methods] of methodsOf) {
    const allow = [...methods].join(', ');
    app.route({
      method: app.supportedMethods.filter((method) => !methods.has(method) && method !== 'OPTIONS'),
      url,
      schema: { hide: true },
      config: { public: true },
      // Before the body is read: whatever it is, it is not wanted.
      onRequest: (_request, reply) => {
        reply.header('allow', allow);
        sendError(reply, new CarillonError('METHOD_NOT_ALLOWED', `This address answers to ${allow}.`));
      },
      handler: () => {},
    });
  }
}
