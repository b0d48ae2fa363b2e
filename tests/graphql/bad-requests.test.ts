import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { counts } from './operations.ts';

const JSON_BODY = { 'content-type': 'application/json' };
const SEND = 'mutation { send(input: { title: "a", content: "b" }) { id } }';
const TEN_MB = 10 * 2 ** 20;

let app: TestApp;
let me: Person;

beforeAll(async () => {
  app = await startApp();
  me = person();
});

afterAll(async () => {
  // None of these requests was the server's failure.
  expect(app.logged.filter((line) => /"level":(50|60)/.test(line))).toEqual([]);
  await app[Symbol.asyncDispose]();
});

interface Answer {
  status: number;
  headers: Headers;
  text: string;
  codes: unknown[];
  data: unknown;
}

async function request(init: RequestInit, query = ''): Promise<Answer> {
  const headers = new Headers(init.headers);
  headers.set('authorization', `Bearer ${me.token}`);
  const response = await fetch(app.graphqlUrl + query, { ...init, headers });
  const text = await response.text();
  const { data, errors = [] } = JSON.parse(text) as {
    data?: unknown;
    errors?: { message: string; extensions: { code: string } }[];
  };
  expect(text).not.toMatch(/node_modules|\/src\/|at \w+ \(|SyntaxError/);
  const codes = errors.map(({ extensions }) => extensions.code);
  return { status: response.status, headers: response.headers, text, codes, data };
}

const post = (body: unknown, headers: Record<string, string> = JSON_BODY): Promise<Answer> =>
  request({ method: 'POST', headers, body: typeof body === 'string' ? body : JSON.stringify(body) });

const get = (parameters: Record<string, string>): Promise<Answer> =>
  request({}, `?${new URLSearchParams(parameters).toString()}`);

describe('a body is refused with 400', () => {
  test.each<[string, unknown]>([
    ['that is cut off', '{"query":"{__typename}"'],
    ['that is empty', ''],
    ['that is text', '"x"'],
    ['that is null', 'null'],
    ['that is a list of operations', [{ query: '{__typename}' }]],
    ['without a query', { variables: {} }],
    ['whose query is an object', { query: {} }],
    ['whose variables are a list', { query: '{__typename}', variables: [] }],
    ['whose variables are text', { query: '{__typename}', variables: '{}' }],
    ['whose operationName is a number', { query: '{__typename}', operationName: 1 }],
    ['whose extensions are a list', { query: '{__typename}', extensions: [] }],
  ])('%s', async (_what, body) => {
    expect(await post(body)).toMatchObject({ status: 400, codes: ['BAD_USER_INPUT'] });
  });
});

test.each([['{a'], ['[]'], ['"x"'], ['1']])(
  'variables in the address that are no object, %s, are refused',
  async (v) => {
    expect(await get({ query: '{__typename}', variables: v })).toMatchObject({
      status: 400,
      codes: ['BAD_USER_INPUT'],
    });
  },
);

test.each(['text/plain', 'application/xml', 'multipart/form-data; boundary=x', 'application/jsonp', ''])(
  'the media type "%s" is refused with 415',
  async (type) => {
    const answer = await post(new TextEncoder().encode('{"query":"{__typename}"}').toString(), {
      'content-type': type,
    });
    expect(answer).toMatchObject({ status: 415, codes: ['UNSUPPORTED_MEDIA_TYPE'] });
  },
);

test.each(['application/json; charset=utf-8', 'application/json;charset=UTF-8'])(
  'the media type "%s" is taken',
  async (type) => {
    expect(await post({ query: '{ unreadCount }' }, { 'content-type': type })).toMatchObject({
      status: 200,
      codes: [],
    });
  },
);

describe('a body of 10 MB is refused with 413', () => {
  test('by its length', async () => {
    const answer = await post('x'.repeat(TEN_MB));
    expect(answer).toMatchObject({ status: 413, codes: ['PAYLOAD_TOO_LARGE'] });
  });

  test('in chunks, without a length', async () => {
    let left = TEN_MB;
    const body = new ReadableStream<Uint8Array>({
      pull(controller) {
        controller.enqueue(new Uint8Array(2 ** 16).fill(120));
        left -= 2 ** 16;
        if (left <= 0) controller.close();
      },
    });
    const init = { method: 'POST', headers: JSON_BODY, body, duplex: 'half' } as RequestInit;
    expect(await request(init)).toMatchObject({ status: 413, codes: ['PAYLOAD_TOO_LARGE'] });
  });

  test('and the next request on the same machine is served', async () => {
    expect(await post({ query: '{ unreadCount }' })).toMatchObject({ status: 200, codes: [] });
  });
});

describe('methods', () => {
  test('a mutation by GET is refused with 405 and Allow, and sends nothing', async () => {
    const answer = await get({ query: SEND });
    expect(answer).toMatchObject({ status: 405, codes: ['BAD_USER_INPUT'] });
    expect(answer.headers.get('allow')).toBe('POST');
    expect(await counts(app, me)).toEqual({ total: 0, unread: 0 });
  });

  test('GET takes the query of a document that holds a mutation too', async () => {
    const answer = await get({
      query: `query Q { unreadCount } ${SEND.replace('mutation', 'mutation M')}`,
      operationName: 'Q',
    });
    expect(answer).toMatchObject({ status: 200, data: { unreadCount: 0 } });
  });

  test('GET takes variables', async () => {
    const answer = await get({
      query: 'query ($filter: NotificationFilter) { unreadCount(filter: $filter) }',
      variables: '{"filter":{"types":["TASK"]}}',
    });
    expect(answer).toMatchObject({ status: 200, data: { unreadCount: 0 } });
  });

  test.each(['PUT', 'DELETE', 'PATCH'])('%s is refused with 405 and Allow', async (method) => {
    const answer = await request({ method });
    expect(answer).toMatchObject({ status: 405, codes: ['BAD_USER_INPUT'] });
    expect(answer.headers.get('allow')).toBe('GET, POST');
  });
});

test.each([
  ['application/json', 406],
  ['application/graphql-response+json', 406],
])('a subscription for a client that takes %s is refused with 406', async (accept, status) => {
  const answer = await post({ query: 'subscription { notificationAdded { id } }' }, { ...JSON_BODY, accept });
  expect(answer).toMatchObject({ status, codes: ['BAD_USER_INPUT'] });
  expect([app.app.context.hub.feedCount, app.app.doors.connections.size]).toEqual([0, 0]);
});

test.each(['a b', '[', 'x:99999999', '%'])('the Host "%s" is refused with 400', async (host) => {
  const { hostname, port } = new URL(app.url);
  const socket = connect(Number(port), hostname);
  socket.write(`GET /graphql?query={__typename} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  await once(socket, 'close');
  expect(text).toMatch(/^HTTP\/1\.1 400 /);
  expect(text).toContain('"code":"BAD_USER_INPUT"');
  expect(text).not.toMatch(/node_modules|TypeError/);
});
