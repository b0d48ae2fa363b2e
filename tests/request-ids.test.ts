import { once } from 'node:events';
import { request as httpRequest } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { MASKED_MESSAGE } from '../src/errors.ts';
import { subscribeByPost } from './graphql/event-stream.ts';
import { connectGraphQL, connectLegacy, openGraphQL } from './sockets/connect.ts';
import { type TestApp, person, startApp } from './support/app.ts';
import { eventually } from './support/eventually.ts';
import { refusalOf } from './support/socket-client.ts';

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

afterEach(() => {
  jest.restoreAllMocks();
});

interface Line {
  level: number;
  msg: string;
  requestId?: string;
  door?: string;
  tenantId?: string;
  userId?: string;
}

const linesOf = (requestId: string): Line[] =>
  app.logged.map((line) => JSON.parse(line) as Line).filter((line) => line.requestId === requestId);

const errorsOf = (requestId: string): Line[] => linesOf(requestId).filter(({ level }) => level === 50);

/** Makes what counts the unread fail. */
function breakCounting(): void {
  jest.spyOn(app.app.context.services.notifications, 'unreadCount').mockRejectedValue(new TypeError('broken inside'));
}

const UNREAD = JSON.stringify({ query: '{ unreadCount }' });

const graphql = (token: string | undefined, headers: Record<string, string>, body = UNREAD) =>
  fetch(app.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers },
    body,
  });

describe('a request', () => {
  test.each(['/graphql?query={__typename}', '/api/v1/notifications', '/health', '/', '/nowhere'])(
    'to %s is answered with an id of its own',
    async (path) => {
      const ids = await Promise.all(
        [1, 2].map(async () => (await fetch(`${app.url}${path}`)).headers.get('x-request-id')),
      );
      for (const id of ids) expect(id).toMatch(UUID);
      expect(ids[0]).not.toBe(ids[1]);
    },
  );

  test.each(['a', 'proxy/4711 (two words)', '~'.repeat(128)])('keeps the id that it came with: %s', async (id) => {
    const response = await fetch(`${app.url}/health`, { headers: { 'x-request-id': id } });
    expect(response.headers.get('x-request-id')).toBe(id);
  });

  test.each([
    ['too long', '~'.repeat(129)],
    ['not ASCII', 'caf\u00e9'],
    ['empty', ''],
    ['with a tab', 'a\tb'],
  ])('gets a new id when the one that it came with is %s', async (_, id) => {
    const request = httpRequest(`${app.url}/health`, { headers: { 'x-request-id': id } }).end();
    const [response] = (await once(request, 'response')) as [{ headers: Record<string, string>; resume(): void }];
    response.resume();
    expect(response.headers['x-request-id']).toMatch(UUID);
  });

  test('lets pages of other origins read its id', async () => {
    await using other = await startApp({ env: { ALLOWED_ORIGINS: 'https://app.example.com' } });
    const { headers } = await fetch(`${other.url}/health`, { headers: { origin: 'https://app.example.com' } });
    expect(headers.get('access-control-expose-headers')).toContain('X-Request-Id');
  });

  test('leaves a line at debug when it is over, without its query', async () => {
    const requestId = 'over-and-out';
    await fetch(`${app.url}/ready?token=secret`, { headers: { 'x-request-id': requestId } });
    const [line] = await eventually(() => linesOf(requestId).length > 0 && linesOf(requestId));
    expect(line).toMatchObject({ level: 20, door: 'rest', method: 'GET', path: '/ready', status: 200 });
    expect(JSON.stringify(line)).not.toContain('secret');
  });
});

describe('the line of an internal error has the id, the door and the caller', () => {
  test('of a GraphQL request, which is told the id', async () => {
    breakCounting();
    const [me, requestId] = [person(), 'of-graphql'];
    const answer = (await (await graphql(me.token, { 'x-request-id': requestId })).json()) as object;
    expect(answer).toMatchObject({
      errors: [{ message: MASKED_MESSAGE, extensions: { code: 'INTERNAL_SERVER_ERROR', requestId } }],
    });
    expect(errorsOf(requestId)).toMatchObject([{ door: 'graphql', tenantId: me.tenantId, userId: me.id }]);
    expect(JSON.stringify(linesOf(requestId))).not.toContain(me.token);
  });

  test('of a GraphQL request by GET', async () => {
    breakCounting();
    const [me, requestId] = [person(), 'of-graphql-by-get'];
    const response = await fetch(`${app.graphqlUrl}?query={unreadCount}`, {
      headers: { authorization: `Bearer ${me.token}`, 'x-request-id': requestId },
    });
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { requestId } }] });
    expect(errorsOf(requestId)).toMatchObject([{ door: 'graphql', userId: me.id }]);
  });

  test('of a REST request, also of one whose body came in parts', async () => {
    const { notifications } = app.app.context.services;
    jest.spyOn(notifications, 'send').mockRejectedValue(new TypeError('broken inside'));
    const [me, requestId] = [person(), 'of-rest'];
    const request = httpRequest(`${app.url}/api/v1/notifications`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${me.token}`, 'x-request-id': requestId },
    });
    request.write('{"title":"t",');
    await new Promise((resolve) => setImmediate(resolve));
    request.end('"content":"c"}');
    const [response] = (await once(request, 'response')) as [{ statusCode: number; resume(): void }];
    response.resume();
    expect(response.statusCode).toBe(500);
    expect(errorsOf(requestId)).toMatchObject([{ door: 'rest', tenantId: me.tenantId, userId: me.id }]);
  });

  test('of an operation on a socket, which has the id of its upgrade', async () => {
    breakCounting();
    const [me, requestId] = [person(), 'of-a-socket'];
    await using socket = await connectGraphQL(app, me, { headers: { 'x-request-id': requestId } });
    socket.send({ id: '1', type: 'subscribe', payload: { query: '{ unreadCount }' } });
    expect(await socket.next()).toMatchObject({ payload: { errors: [{ extensions: { requestId } }] } });
    expect(errorsOf(requestId)).toMatchObject([{ door: 'graphql_ws', tenantId: me.tenantId, userId: me.id }]);
  });

  test('of a message on the raw socket', async () => {
    const { notifications } = app.app.context.services;
    jest.spyOn(notifications, 'batchMarkRead').mockRejectedValue(new TypeError('broken inside'));
    const [me, requestId] = [person(), 'of-the-raw-socket'];
    await using socket = await connectLegacy(app, me, {}, { headers: { 'x-request-id': requestId } });
    socket.send({ type: 'mark_read', notification_ids: [] });
    expect(await socket.next()).toMatchObject({ type: 'error', code: 'INTERNAL_SERVER_ERROR' });
    expect(errorsOf(requestId)).toMatchObject([{ door: 'legacy_ws', tenantId: me.tenantId, userId: me.id }]);
  });

  test('of an event stream', async () => {
    jest.spyOn(app.app.context.services.notifications, 'additions').mockRejectedValue(new TypeError('broken inside'));
    const [me, requestId] = [person(), 'of-a-stream'];
    const response = await subscribeByPost(app, me, { headers: { 'x-request-id': requestId } });
    expect(await response.text()).toContain(`"requestId":"${requestId}"`);
    expect(errorsOf(requestId)).toMatchObject([{ door: 'graphql', userId: me.id }]);
  });
});

test('only internal errors are told with the id', async () => {
  const { errors } = (await (await graphql(undefined, { 'x-request-id': 'mine' })).json()) as {
    errors: { extensions: object }[];
  };
  expect(errors[0]?.extensions).toEqual({ code: 'UNAUTHENTICATED' });
});

test('two requests that run at the same time have each their own lines', async () => {
  breakCounting();
  const people = Array.from({ length: 20 }, () => person());
  await Promise.all(people.map(({ id, token }) => graphql(token, { 'x-request-id': id })));
  for (const { id } of people) expect(errorsOf(id)).toMatchObject([{ userId: id }]);
});

test('a token that is refused leaves a line with the id', async () => {
  await graphql('no.token.atall', { 'x-request-id': 'refused' });
  expect(linesOf('refused')).toContainEqual(expect.objectContaining({ msg: 'a token was refused', door: 'graphql' }));
});

describe('an upgrade', () => {
  test('is answered with the id of its socket', async () => {
    const upgraded = Promise.withResolvers<Record<string, unknown>>();
    await using socket = await openGraphQL(app, {
      headers: { 'x-request-id': 'of-an-upgrade' },
      finishRequest(request) {
        request.on('upgrade', ({ headers }) => upgraded.resolve(headers)).end();
      },
    });
    expect(await upgraded.promise).toMatchObject({ 'x-request-id': 'of-an-upgrade' });
    await socket[Symbol.asyncDispose]();
  });

  test('that is refused is answered with its id', async () => {
    const answer = await refusalOf(app.legacySocketUrl(), { headers: { 'x-request-id': 'refused-upgrade' } });
    expect(answer).toMatchObject({ status: 401, headers: { 'x-request-id': 'refused-upgrade' } });
  });
});
