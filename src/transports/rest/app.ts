import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import swagger from '@fastify/swagger';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { CarillonError, badInput, unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Scrapes } from '../../metrics/scrapes.ts';
import type { Caller } from '../../services/caller.ts';
import type { Limits } from '../../services/notification-rules.ts';
import { type RateLimits, pointsOfBytes } from '../../services/rate-limits.ts';
import type { Services } from '../../services/services.ts';
import type { Sessions } from '../../services/sessions.ts';
import type { ConsoleInfo } from '../../web/console.ts';
import type { AddressOf } from '../address.ts';
import { hasMoreValues } from '../json-text.ts';
import { onRoute } from '../../tracing/http.ts';
import { bearerToken } from '../bearer.ts';
import { asTenant } from '../../scope.ts';
import { identify } from '../request-id.ts';
import { authRoutes } from './auth.ts';
import {
  answerClientError,
  installErrors,
  refuseOtherMethods,
  sendError,
  toCarillonError,
  toSnakeCase,
} from './errors.ts';
import { metricsRoute } from './metrics.ts';
import { notificationRoutes } from './notifications.ts';
import { openApiOptions } from './openapi.ts';
import { recallRoutes } from './recall.ts';
import { sentRoutes } from './sent.ts';
import { webRoutes } from './web.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served without a token. */
    public?: boolean;
  }
  interface FastifyRequest {
    /** Does the work in the log scope and the span of the request. A body comes in events of the connection, which know nothing of it. */
    within: <T>(work: () => T) => T;
  }
}

export interface RestOptions {
  services: Services;
  sessions: Sessions;
  rateLimits: RateLimits;
  addressOf: AddressOf;
  verify: (token: string | undefined) => Promise<Caller>;
  /** Whether the server can do its work; rejects or resolves false when it cannot. */
  isReady: () => Promise<boolean>;
  scrapes: Scrapes;
  /** Needed for /metrics; without it they are open to all. */
  metricsToken: string | undefined;
  logger: Logger;
  limits: Limits;
  version: string;
  demo: ConsoleInfo['demo'];
  maxBodyBytes: number;
  maxBodyValues: number;
  requestTimeoutMs: number;
  /** Makes the HTTP server around the handler of this app. */
  createServer: (handler: (request: IncomingMessage, response: ServerResponse) => void) => Server;
}

/** An id is never that long, but who asks for one is told that it is missing, like any other. */
const MAX_PARAM_LENGTH = 16_384;

/**
 * `userId` and `user_id` mean the same, and where both are given the one that the API is described with counts. What a
 * caller put inside `data` is the caller's own.
 */
function withSnakeCaseKeys(input: unknown): unknown {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) return input;
  const entries = Object.entries(input);
  const translated = entries.map(([key, value]) => [toSnakeCase(key), value] as const);
  return Object.fromEntries([...translated, ...entries]);
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(body: Buffer, mostValues: number): unknown {
  if (body.length === 0) return undefined;
  if (hasMoreValues(body, mostValues)) {
    throw new CarillonError('PAYLOAD_TOO_LARGE', `The body has more than ${mostValues} values.`);
  }
  try {
    return withSnakeCaseKeys(JSON.parse(utf8.decode(body)));
  } catch {
    throw badInput('body', 'The body is not valid JSON in UTF-8.');
  }
}

/** The REST door: the legacy routes under /api/v1, their OpenAPI document, health and readiness, and the pages. */
export async function createRestApp(options: RestOptions): Promise<FastifyInstance> {
  const { services, sessions, rateLimits, addressOf, verify, logger, limits } = options;
  const app = fastify({
    serverFactory: (handler) => options.createServer(handler),
    bodyLimit: options.maxBodyBytes,
    requestTimeout: options.requestTimeoutMs,
    logger: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreDuplicateSlashes: false },
    clientErrorHandler: (error, socket) => void answerClientError(error, socket, { rateLimits, addressOf }),
    frameworkErrors: (error, _request, reply) => {
      sendError(reply, toCarillonError(error) ?? new CarillonError('BAD_USER_INPUT', 'The request is not valid.'));
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  // Types see to it that answers fit their schemas; checking each of them again costs more than making it.
  app.setSerializerCompiler(() => JSON.stringify);
  app.decorateRequest('within');
  app.addHook('onRequest', (request, _reply, next) => {
    request.within = AsyncLocalStorage.snapshot();
    if (request.routeOptions.url !== undefined) onRoute(request.method, request.routeOptions.url);
    next();
  });
  app.addHook('preValidation', (request, _reply, next) => request.within(next));
  if (rateLimits.isOn) {
    app.addHook('onRequest', async ({ raw }) => {
      // Whether a process lives is asked by whoever would end it.
      if (raw.url !== '/health') rateLimits.spendOfAddress(addressOf(raw), 'rest');
    });
  }
  installErrors(app, { logger, rateLimits, addressOf });

  app.removeAllContentTypeParsers();
  const callers = new WeakMap<FastifyRequest, Caller>();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (request: FastifyRequest, body: Buffer) => {
    const caller = callers.get(request);
    const points = pointsOfBytes(body.length);
    if (caller) rateLimits.spend(caller, points, 'rest');
    else rateLimits.spendOfAddress(addressOf(request.raw), 'rest', points);
    return parseJson(body, options.maxBodyValues);
  });
  app.addHook('onSend', async (request, _reply, body) => {
    const caller = callers.get(request);
    if (caller && typeof body === 'string') rateLimits.charge(caller, pointsOfBytes(body.length));
  });
  app.addHook('preValidation', async (request) => {
    request.query = withSnakeCaseKeys(request.query);
  });

  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsOf.set(url, methods);
  });

  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.public || !request.routeOptions.url?.startsWith('/api/')) return;
    const caller = await verify(bearerToken(request.headers.authorization));
    identify(caller);
    rateLimits.spend(caller, 1, 'rest');
    if (rateLimits.isOn) rateLimits.refundAddress(addressOf(request.raw), 1);
    callers.set(request, caller);
  });
  // The last of the hooks: what comes of reading the body does not run within what was entered before it.
  app.addHook('preHandler', (request, _reply, done) => {
    const caller = callers.get(request);
    if (caller) asTenant(caller.tenantId, done);
    else done();
  });
  app.addHook('onRoute', (route) => {
    const { handler } = route;
    route.handler = function inTurn(request, reply) {
      const caller = callers.get(request);
      if (!caller) return handler.call(this, request, reply);
      return rateLimits.serve(caller, async () => handler.call(this, request, reply));
    };
  });
  const callerOf = (request: FastifyRequest): Caller => {
    const caller = callers.get(request);
    if (!caller) throw unauthenticated('A token is needed.');
    return caller;
  };

  await app.register(swagger, openApiOptions(options.version));
  let document: unknown;
  app.addHook('onReady', async () => {
    document = app.swagger();
  });
  await app.register(
    async (api) => {
      authRoutes(api, sessions, addressOf);
      // What one request asks for beyond what any request is worth.
      const spendMore = (caller: Caller, points: number): void => {
        if (points > 1) rateLimits.spend(caller, points - 1, 'rest');
      };
      notificationRoutes(api, { notifications: services.notifications, limits, callerOf, spendMore });
      recallRoutes(api, { recalls: services.recalls, callerOf });
      sentRoutes(api, { sent: services.sent, limits, callerOf, spendMore });
      api.get('/notifications/ws', { schema: { hide: true } }, () => {
        throw new CarillonError('BAD_USER_INPUT', 'This address speaks WebSocket: connect to it with one.');
      });
      api.get('/openapi.json', { config: { public: true }, schema: { hide: true } }, () => document);
    },
    { prefix: '/api/v1' },
  );
  app.get('/health', { schema: { hide: true } }, () => ({ status: 'ok' }));
  app.get('/ready', { schema: { hide: true } }, async (_request, reply) => {
    const ready = await options.isReady();
    return reply.code(ready ? 200 : 503).send({ status: ready ? 'ready' : 'unavailable' });
  });
  metricsRoute(app, options);
  webRoutes(app, { version: options.version, demo: options.demo });
  refuseOtherMethods(app, new Map(methodsOf));
  return app;
}
