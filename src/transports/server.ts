import { once } from 'node:events';
import { type IncomingMessage, type Server, type ServerOptions, type ServerResponse, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import cors from 'cors';
import type { Config } from '../config.ts';
import { type Logger, inLogScope } from '../logger.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { Scrapes } from '../metrics/scrapes.ts';
import type { Caller } from '../services/caller.ts';
import type { RateLimits } from '../services/rate-limits.ts';
import type { Services } from '../services/services.ts';
import type { Sessions } from '../services/sessions.ts';
import { traceRequest } from '../tracing/http.ts';
import type { Tracing } from '../tracing/tracing.ts';
import type { ConsoleInfo } from '../web/console.ts';
import { createAddressOf } from './address.ts';
import { Connections } from './connections.ts';
import { createGraphQLHttp } from './graphql/http.ts';
import { Operations } from './graphql/operations.ts';
import { GraphQLSocketDoor } from './graphql/websocket.ts';
import { LegacySocketDoor } from './legacy-socket/door.ts';
import { requestIdOf } from './request-id.ts';
import { createRestApp } from './rest/app.ts';
import { createUpgradeRouter } from './upgrade.ts';

export interface DoorsOptions {
  config: Config;
  logger: Logger;
  tracing: Tracing;
  metrics: Metrics;
  scrapes: Scrapes;
  services: Services;
  sessions: Sessions;
  rateLimits: RateLimits;
  /** Who a request is from. */
  verify: (token: string | undefined) => Promise<Caller>;
  /** Who a socket is from: asked once for its whole life. */
  verifyConnection: (token: string | undefined) => Promise<Caller>;
  isRevoked: (caller: Caller) => boolean;
  isReady: () => Promise<boolean>;
  version: string;
  /** Makes a token for whoever opens GraphiQL on this machine; absent where there is nothing to try out. */
  demoToken?: (() => Promise<string | undefined>) | undefined;
  /** Accounts that the console offers to log in with. */
  demo: ConsoleInfo['demo'];
}

/** All doors on one port. */
export interface Doors extends AsyncDisposable {
  /** `http://HOST:PORT`, with the port that was taken. */
  readonly url: string;
  /** Live connections: sockets and event streams. */
  readonly connections: Connections;
  /**
   * Stops accepting, tells live connections to go, and resolves when they have gone and every request is answered.
   * From the first moment `/ready` answers 503.
   */
  drain(): Promise<void>;
}

/** Preflights may be remembered for this long; the answer depends on settings only. */
const PREFLIGHT_SECONDS = 600;

/** Opens all doors; resolves when the port accepts connections. */
export async function openDoors(options: DoorsOptions): Promise<Doors> {
  const { config, logger, tracing, metrics, services, sessions, rateLimits, verify, verifyConnection } = options;
  const allowedOrigins = new Set(config.allowedOrigins ?? []);
  const connections = new Connections({
    maxConnectionsPerUser: config.maxConnectionsPerUser,
    maxConnectionsPerTenant: config.maxConnectionsPerTenant,
    maxConnectionsPerAddress: config.maxConnectionsPerAddress,
    isRevoked: options.isRevoked,
    metrics,
    onCount: (user, count, before) => services.presence.counted(user, count, before),
  });
  services.presence.follow(connections);
  const addressOf = createAddressOf(config.trustedProxies);
  const operations = new Operations({
    services,
    rateLimits,
    metrics,
    logger,
    maxTokens: config.maxQueryTokens,
    limits: config,
    introspection:
      config.introspection === 'on' || (config.introspection === 'auto' && config.nodeEnv !== 'production'),
    trusted: config.trustedDocuments,
  });
  const { maxBodyBytes, maxBodyValues } = config;
  const { demoToken } = options;
  const graphqlHttp = createGraphQLHttp({
    operations,
    connections,
    rateLimits,
    addressOf,
    verify,
    metrics,
    logger,
    maxBodyBytes,
    maxBodyValues,
    demoToken,
  });
  const graphqlSocket = new GraphQLSocketDoor({
    operations,
    connections,
    rateLimits,
    addressOf,
    verify: verifyConnection,
    metrics,
    logger,
    tracing,
    maxMessageBytes: maxBodyBytes,
    maxMessageValues: maxBodyValues,
    maxOperationsPerSocket: config.maxOperationsPerSocket,
    maxConnectionsPerUser: config.maxConnectionsPerUser,
    connectionInitTimeoutMs: config.connectionInitTimeout,
    pingIntervalMs: config.graphqlPingInterval,
  });
  const legacySocket = new LegacySocketDoor({
    services,
    connections,
    rateLimits,
    addressOf,
    verify: verifyConnection,
    metrics,
    logger,
    tracing,
    maxFrameBytes: config.maxLegacyFrameBytes,
    pingIntervalMs: config.legacyPingInterval,
    idleTimeoutMs: config.legacyIdleTimeout,
  });

  const allowCors = cors({
    origin: [...allowedOrigins],
    methods: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE'],
    exposedHeaders: ['Retry-After', 'X-Request-Id'],
    maxAge: PREFLIGHT_SECONDS,
  });
  const serverOptions: ServerOptions = {
    requestTimeout: config.requestTimeout,
    keepAliveTimeout: config.keepAliveTimeout,
    // HTTP clients that would like HTTP/2 ask for h2c; what is no WebSocket is an ordinary request.
    shouldUpgradeCallback: ({ headers }) => headers.upgrade?.toLowerCase() === 'websocket',
  };
  const logsRequests = logger.isLevelEnabled('debug');
  let draining = false;
  const rest = await createRestApp({
    services,
    sessions,
    rateLimits,
    addressOf,
    verify,
    isReady: async () => !draining && (await options.isReady()),
    scrapes: options.scrapes,
    metricsToken: config.metricsToken,
    logger,
    limits: config,
    version: options.version,
    demo: options.demo,
    maxBodyBytes,
    maxBodyValues,
    requestTimeoutMs: config.requestTimeout,
    createServer: (restHandler) =>
      createServer(serverOptions, (request: IncomingMessage, response: ServerResponse) => {
        const requestId = requestIdOf(request);
        if (draining) response.setHeader('Connection', 'close');
        response.setHeader('X-Content-Type-Options', 'nosniff');
        response.setHeader('X-Request-Id', requestId);
        const door = isGraphQLPath(request.url) ? 'graphql' : 'rest';
        const route = (): void => {
          if (door === 'graphql') graphqlHttp(request, response);
          else restHandler(request, response);
        };
        const serve = (): void => {
          // Only browsers name an origin.
          if (request.headers.origin === undefined) route();
          else allowCors(request, response, route);
        };
        inLogScope({ requestId, door }, () => {
          if (logsRequests) logRequest(logger, request, response);
          if (tracing.isOn) traceRequest(tracing, request, response, serve);
          else serve();
        });
      }),
  });
  await rest.ready();
  const server: Server = rest.server;
  server.on(
    'upgrade',
    createUpgradeRouter({
      doors: new Map([
        ['/graphql', (...upgrade) => graphqlSocket.upgrade(...upgrade)],
        ['/api/v1/notifications/ws', (...upgrade) => legacySocket.upgrade(...upgrade)],
      ]),
      allowedOrigins,
      rateLimits,
      addressOf,
      logger,
    }),
  );
  server.listen({ host: config.host, port: config.port });
  await once(server, 'listening');

  return {
    url: urlOf(server, config.host),
    connections,
    async drain() {
      draining = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      await connections.drain();
      server.closeIdleConnections();
      await closed;
      // Those whose clients went away meanwhile are stored all the same.
      await services.notifications.drain();
    },
    async [Symbol.asyncDispose]() {
      for (const owned of [connections, graphqlSocket, legacySocket]) owned[Symbol.dispose]();
      server.close();
      server.closeAllConnections();
      await rest.close();
    },
  };
}

/** A line when the request is over. Without the query, which may hold a token. */
function logRequest(logger: Logger, request: IncomingMessage, response: ServerResponse): void {
  const startMs = performance.now();
  const { method, url = '' } = request;
  response.once('close', () => {
    const details = { method, path: url.split('?', 1)[0], status: response.statusCode };
    logger.debug({ ...details, ms: Math.round(performance.now() - startMs) }, 'a request is over');
  });
}

const isGraphQLPath = (url = '/'): boolean => url === '/graphql' || url.startsWith('/graphql?');

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo;
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
