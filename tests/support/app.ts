import { randomUUID } from 'node:crypto';
import { Writable } from 'node:stream';
import jwt from 'jsonwebtoken';
import { type App, createApp } from '../../src/app.ts';
import { type Config, loadConfig } from '../../src/config.ts';
import { createLogger } from '../../src/logger.ts';
import { createTestDatabase } from './postgres.ts';

export const TEST_SECRET = 'a secret of the tests, longer than 32 bytes';
export const TENANT = 'acme';

/** A test's person: with an id of their own, so that tests of one file do not meet. */
export interface Person {
  id: string;
  tenantId: string;
  token: string;
}

export interface RestAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint: answers are checked by the tests
  body: any;
}

export interface GraphQLAnswer {
  status: number;
  headers: Headers;
  // biome-ignore lint: answers are checked by the tests
  data: any;
  errors: { message: string; extensions: Record<string, unknown>; path?: (string | number)[] }[] | undefined;
}

export interface TestApp extends AsyncDisposable {
  readonly app: App;
  readonly config: Config;
  readonly url: string;
  readonly graphqlUrl: string;
  readonly graphqlSocketUrl: string;
  readonly databaseUrl: string;
  /** Every line that was logged so far. */
  readonly logged: string[];
  legacySocketUrl(query?: Record<string, string>): string;
  graphql(
    query: string,
    options?: { token?: string | undefined; variables?: unknown; headers?: Record<string, string> },
  ): Promise<GraphQLAnswer>;
  rest(
    method: string,
    path: string,
    options?: { token?: string | undefined; body?: unknown; headers?: Record<string, string> },
  ): Promise<RestAnswer>;
}

export interface TestAppOptions {
  /** Settings, as environment variables. */
  env?: Record<string, string>;
  /** A database to share with another instance; the app gets one of its own otherwise. */
  databaseUrl?: string;
}

/** The real app on a free port, in this process, with a database of its own. */
export async function startApp({ env = {}, databaseUrl }: TestAppOptions = {}): Promise<TestApp> {
  await using resources = new AsyncDisposableStack();
  const url = databaseUrl ?? resources.use(await createTestDatabase()).url;
  const logged: string[] = [];
  const config = loadConfig({ PORT: '0', DATABASE_URL: url, JWT_SECRET: TEST_SECRET, LOG_LEVEL: 'debug', ...env });
  const destination = new Writable({
    write(chunk, _encoding, done) {
      logged.push(String(chunk));
      done();
    },
  });
  const logger = createLogger({ level: config.logLevel, format: 'json', destination });
  const app = resources.use(await createApp(config, { logger }));
  const owned = resources.move();
  const withToken = (token: string | undefined): Record<string, string> =>
    token ? { authorization: `Bearer ${token}` } : {};
  return {
    app,
    config,
    url: app.url,
    graphqlUrl: `${app.url}/graphql`,
    graphqlSocketUrl: `${app.url.replace('http', 'ws')}/graphql`,
    databaseUrl: url,
    logged,
    legacySocketUrl: (query = {}) =>
      `${app.url.replace('http', 'ws')}/api/v1/notifications/ws?${new URLSearchParams(query).toString()}`,
    async graphql(query, { token, variables, headers = {} } = {}) {
      const response = await fetch(`${app.url}/graphql`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json', ...withToken(token), ...headers },
        body: JSON.stringify({ query, variables }),
      });
      const { data, errors } = (await response.json()) as GraphQLAnswer;
      return { status: response.status, headers: response.headers, data, errors };
    },
    async rest(method, path, { token, body, headers = {} } = {}) {
      const response = await fetch(`${app.url}${path}`, {
        method,
        headers: {
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...withToken(token),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      });
      const text = await response.text();
      return { status: response.status, headers: response.headers, body: text === '' ? undefined : JSON.parse(text) };
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** A signed token with exactly these claims, beside an `exp` in an hour. */
export function signToken(
  claims: Record<string, unknown>,
  secret: string = TEST_SECRET,
  options: jwt.SignOptions = {},
): string {
  const exp = Math.floor(Date.now() / 1000) + 3600;
  return jwt.sign({ exp, ...claims }, secret, { algorithm: 'HS256', ...options });
}

/** An `exp` that leaves two to three seconds to connect in, also on a busy machine. */
export const expiresSoon = (): number => Math.floor(Date.now() / 1000) + 3;

export function person({ tenantId = TENANT, roles }: { tenantId?: string; roles?: string[] } = {}): Person {
  const id = randomUUID();
  return { id, tenantId, token: signToken({ user_id: id, tenant_id: tenantId, ...(roles ? { roles } : {}) }) };
}
