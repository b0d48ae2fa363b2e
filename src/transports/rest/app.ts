import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import swagger from '@fastify/swagger';
import { type FastifyInstance, type FastifyRequest, fastify } from 'fastify';
import { validatorCompiler } from 'fastify-type-provider-zod';
import { CarillonError, badInput, unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Caller } from '../../services/caller.ts';
import type { Limits } from '../../services/notification-rules.ts';
import type { Notifications } from '../../services/notifications.ts';
import type { Sessions } from '../../services/sessions.ts';
import { homePage } from '../../web/home.ts';
import { bearerToken } from '../bearer.ts';
import { authRoutes } from './auth.ts';
import {
  answerClientError,
  installErrors,
  refuseOtherMethods,
  sendError,
  toCarillonError,
  toSnakeCase,
} from './errors.ts';
import { notificationRoutes } from './notifications.ts';
import { openApiOptions } from './openapi.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Served without a token. */
    public?: boolean;
  }
}

export interface RestOptions {
  notifications: Notifications;
  sessions: Sessions;
  verify: (token: string | undefined) => Promise<Caller>;
  /** Whether the server can do its work; rejects or resolves false when it cannot. */
  isReady: () => Promise<boolean>;
  logger: Logger;
  limits: Limits;
  version: string;
  maxBodyBytes: number;
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

function parseJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  try {
    return withSnakeCaseKeys(JSON.parse(utf8.decode(body)));
  } catch {
    throw badInput('body', 'The body is not valid JSON in UTF-8.');
  }
}

/** The REST door: the legacy routes under /api/v1, their OpenAPI document, health and readiness. */
export async function createRestApp(options: RestOptions): Promise<FastifyInstance> {
  const { notifications, sessions, verify, logger, limits } = options;
  const app = fastify({
    serverFactory: (handler) => options.createServer(handler),
    bodyLimit: options.maxBodyBytes,
    requestTimeout: options.requestTimeoutMs,
    logger: false,
    return503OnClosing: false,
    routerOptions: { maxParamLength: MAX_PARAM_LENGTH, ignoreDuplicateSlashes: false },
    clientErrorHandler: answerClientError,
    frameworkErrors: (error, _request, reply) => {
      sendError(reply, toCarillonError(error) ?? new CarillonError('BAD_USER_INPUT', 'The request is not valid.'));
    },
  });
  app.setValidatorCompiler(validatorCompiler);
  // Types see to it that answers fit their schemas; checking each of them again costs more than making it.
  app.setSerializerCompiler(() => JSON.stringify);
  installErrors(app, logger);

  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, async (_request: FastifyRequest, body: Buffer) =>
    parseJson(body),
  );
  app.addHook('preValidation', async (request) => {
    request.query = withSnakeCaseKeys(request.query);
  });

  const methodsOf = new Map<string, Set<string>>();
  app.addHook('onRoute', ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const one of [method].flat()) methods.add(one);
    methodsOf.set(url, methods);
  });

  const callers = new WeakMap<FastifyRequest, Caller>();
  app.addHook('onRequest', async (request) => {
    if (request.routeOptions.config.public || !request.routeOptions.url?.startsWith('/api/')) return;
    callers.set(request, await verify(bearerToken(request.headers.authorization)));
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
      authRoutes(api, sessions);
      notificationRoutes(api, { notifications, limits, callerOf });
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
  app.get('/', { schema: { hide: true } }, (_request, reply) => reply.type('text/html; charset=utf-8').send(homePage));
  refuseOtherMethods(app, new Map(methodsOf));
  return app;
}
