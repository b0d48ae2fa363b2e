import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { asEveryTenant } from '../../src/scope.ts';
import type { TestApp } from '../support/app.ts';
import { runCommand } from '../process/server.ts';
import { createTestDatabase } from '../support/postgres.ts';

// The real hash takes its time, and is not what these tests are about.
jest.unstable_mockModule('../../src/services/password.ts', () => ({
  hashPassword: async (password: string) => password,
  nobodysHash: () => 'nobody',
  isOutdated: () => false,
  verifyPassword: async (password: string, hash: string) => password === hash,
}));
const { TENANT, TEST_SECRET, startApp } = await import('../support/app.ts');
const { connectGraphQL, connectLegacy, sendTo, subscribe } = await import('../sockets/connect.ts');
const { eventsOf, subscribeByPost } = await import('../graphql/event-stream.ts');

const password = 'correct horse battery staple';
const WITHIN_MS = 2000;

interface Login {
  access_token: string;
  refresh_token: string;
}
interface Known {
  id: string;
  tenantId: string;
  username: string;
}

let resources: AsyncDisposableStack;
let apps: [TestApp, TestApp];

beforeAll(async () => {
  resources = new AsyncDisposableStack();
  const { url: databaseUrl } = resources.use(await createTestDatabase());
  // No Redis: revocations need no broker.
  apps = [resources.use(await startApp({ databaseUrl })), resources.use(await startApp({ databaseUrl }))];
});
afterAll(async () => {
  await resources.disposeAsync();
});

let users = 0;
const addUser = (): Promise<Known> => {
  users += 1;
  return asEveryTenant(() =>
    apps[0].app.context.users.add({ tenantId: TENANT, username: `user ${users}`, password, roles: [] }),
  );
};
const login = async ({ username }: Known) =>
  (await apps[0].rest('POST', '/api/v1/auth/login', { body: { username, password } })).body as Login;

/** A connection of each kind on each instance, each of which is told what is sent to its user. */
async function connectEverywhere({ id, tenantId }: Known, token: string) {
  const stack = new AsyncDisposableStack();
  const connections = await Promise.all(
    apps.map(async (app) => {
      const legacy = stack.use(await connectLegacy(app, { token }));
      const graphql = stack.use(await connectGraphQL(app, { token }));
      subscribe(graphql, '1');
      const events = eventsOf(await subscribeByPost(app, { id, tenantId, token }, { after: '-----------0' }));
      stack.defer(async () => void (await events.return(undefined)));
      return { legacy, graphql, events };
    }),
  );
  return {
    /** How each was ended, and when the last one was. */
    async ended() {
      const endings = connections.map(async ({ legacy, graphql, events }) => {
        const last = [];
        for await (const { event, result } of events) last.push(result?.errors?.[0]?.extensions['code'] ?? event);
        return { legacy: await legacy.closed, graphql: await graphql.closed, stream: last.slice(-2) };
      });
      return { endings: await Promise.all(endings), at: Date.now() };
    },
    /** Expects that the next thing that each of them hears of is this notification. */
    async hear(sent: string): Promise<void> {
      for (const { legacy, graphql, events } of connections) {
        expect((await legacy.next())['notification'].id).toBe(sent);
        expect((await graphql.next())['payload'].data.notificationAdded.id).toBe(sent);
        const { value } = await events.next();
        expect(value.result.data.notificationAdded.id).toBe(sent);
      }
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const ending = {
  legacy: { code: 4401, reason: 'The token has been revoked' },
  graphql: { code: 4403, reason: 'Forbidden: The token has been revoked' },
  stream: ['UNAUTHENTICATED', 'complete'],
};

/** Expects that a token is good on no instance any more. */
async function expectOver(token: string): Promise<void> {
  for (const app of apps) expect((await app.rest('GET', '/api/v1/notifications', { token })).status).toBe(401);
}

async function expectGood(token: string): Promise<void> {
  for (const app of apps) expect((await app.rest('GET', '/api/v1/notifications', { token })).status).toBe(200);
}

/** Sends to a user through the first instance; the second one has to look, as it hears of nothing. */
async function tell({ id }: Known, token: string): Promise<string> {
  const sent = await sendTo(apps[0], { id, tenantId: TENANT, token });
  await apps[1].app.context.hub.sweep();
  return sent['id'] as string;
}

test('a logout ends the session’s connections on both instances within two seconds, and no other session', async () => {
  const ann = await addUser();
  const [mine, others] = [await login(ann), await login(ann)];
  await using over = await connectEverywhere(ann, mine.access_token);
  await using staying = await connectEverywhere(ann, others.access_token);
  const sent = await tell(ann, mine.access_token);
  await Promise.all([over.hear(sent), staying.hear(sent)]);
  const began = Date.now();
  const { status } = await apps[0].rest('POST', '/api/v1/auth/logout', { body: mine });
  expect(status).toBe(200);
  const { endings, at } = await over.ended();
  expect(endings).toEqual([ending, ending]);
  expect(at - began).toBeLessThan(WITHIN_MS);
  await expectOver(mine.access_token);
  await expectGood(others.access_token);
  await staying.hear(await tell(ann, others.access_token));
});

test('a refresh token that comes a second time ends its session in the same way', async () => {
  const ann = await addUser();
  const [mine, others] = [await login(ann), await login(ann)];
  const refresh = (body: Login) => apps[1].rest('POST', '/api/v1/auth/refresh', { body });
  const renewed: Login = (await refresh(mine)).body;
  await using over = await connectEverywhere(ann, renewed.access_token);
  await using staying = await connectEverywhere(ann, others.access_token);
  const began = Date.now();
  expect((await refresh(mine)).status).toBe(401);
  const { endings, at } = await over.ended();
  expect(endings).toEqual([ending, ending]);
  expect(at - began).toBeLessThan(WITHIN_MS);
  for (const each of [mine, renewed]) await expectOver(each.access_token);
  await staying.hear(await tell(ann, others.access_token));
});

test('removing a user, by a command beside the servers, ends all of that user’s tokens and connections', async () => {
  const [ann, bob] = [await addUser(), await addUser()];
  const env = { DATABASE_URL: apps[0].databaseUrl, JWT_SECRET: TEST_SECRET };
  const made = await runCommand('token', ['--tenant', TENANT, '--user', ann.id], { env });
  const tokens = [(await login(ann)).access_token, made.stdout.trim()];
  const bobs = (await login(bob)).access_token;
  await using staying = await connectEverywhere(bob, bobs);
  await using first = await connectEverywhere(ann, tokens[0]!);
  await using second = await connectEverywhere(ann, tokens[1]!);
  const removed = await runCommand('user', ['remove', '--tenant', TENANT, '--username', ann.username], { env });
  const over = Date.now();
  expect(removed).toMatchObject({ code: 0, stderr: '' });
  for (const connections of [first, second]) {
    const { endings, at } = await connections.ended();
    expect(endings).toEqual([ending, ending]);
    expect(at - over).toBeLessThan(WITHIN_MS);
  }
  for (const token of tokens) await expectOver(token);
  await staying.hear(await tell(bob, bobs));
});
