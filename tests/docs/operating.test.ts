import { expect, test } from '@jest/globals';
import { eventsOf } from '../graphql/event-stream.ts';
import { connectLegacy } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { createTestDatabase, databaseUrl, withClient } from '../support/postgres.ts';
import { startCollector } from '../tracing/collector.ts';
import { data } from '../commands/data-support.ts';
import { blocksOf, read } from './markdown.ts';

/** What the page has one run after a restore. */
const command = /^npm run data -- (\S+)$/m.exec(
  blocksOf(read('docs/operating.md')).find(({ code }) => code.includes('-- restored'))!.code,
)![1]!;

const send = async (app: TestApp, { token }: Person, title: string) =>
  (
    await app.graphql('mutation ($title: String!) { send(input: { title: $title, content: "c" }) { cursor } }', {
      token,
      variables: { title },
    })
  ).data.send.cursor as string;

/** The first event of what `inboxChanged` tells after a cursor. */
async function firstAfter(app: TestApp, { token }: Person, after: string): Promise<unknown> {
  const response = await fetch(app.graphqlUrl, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({
      query: `subscription ($after: String) {
        inboxChanged(after: $after) {
          __typename
          ... on InboxReset { reason }
          ... on NotificationAdded { notification { title } }
        }
      }`,
      variables: { after },
    }),
  });
  for await (const { result } of eventsOf(response)) {
    return (result?.data as { inboxChanged: unknown } | undefined)?.inboxChanged;
  }
  throw new Error('the stream ended without an event');
}

/** A database that was restored to a moment before its inbox came as far as `cursor`. */
async function restored(me: Person) {
  await using stack = new AsyncDisposableStack();
  const live = stack.use(await createTestDatabase());
  const { pathname, username: owner } = new URL(live.url);
  const name = `${pathname.slice(1)}_restored`;
  const adminUrl = process.env['TEST_POSTGRES_ADMIN_URL'] as string;
  const run = (text: string) => withClient(adminUrl, (client) => client.query(text));
  {
    await using app = await startApp({ databaseUrl: live.url });
    await send(app, me, 'before the backup');
  }
  await run(`create database ${name} template ${pathname.slice(1)} owner ${owner}`);
  stack.defer(async () => void (await run(`drop database ${name} with (force)`)));
  await using app = await startApp({ databaseUrl: live.url });
  const cursor = await send(app, me, 'lost');
  const owned = stack.move();
  return { url: databaseUrl(live.url, name), cursor, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

test('a cursor from after the backup is told so only until the inbox has come as far again', async () => {
  const me = person();
  await using database = await restored(me);
  await using app = await startApp({ databaseUrl: database.url });
  expect(await firstAfter(app, me, database.cursor)).toEqual({ __typename: 'InboxReset', reason: 'FUTURE_CURSOR' });
  for (const title of ['passed over', 'told']) await send(app, me, title);
  expect(await firstAfter(app, me, database.cursor)).toMatchObject({ notification: { title: 'told' } });
});

test('after the command of docs/operating.md every cursor from before the restore is told so for ever', async () => {
  const me = person();
  await using database = await restored(me);
  // As if it had been restored a while after the server before it was stopped.
  await withClient(database.url, (client) =>
    client.query(`update instance set alive_at = now() - interval '1 minute'`),
  );
  expect(await data(database.url, [command])).toMatchObject({ code: 0, stderr: '' });
  await using app = await startApp({ databaseUrl: database.url });
  for (const title of ['first', 'second']) await send(app, me, title);
  expect(await firstAfter(app, me, database.cursor)).toEqual({ __typename: 'InboxReset', reason: 'FOREIGN_CURSOR' });
  await using socket = await connectLegacy(app, me, { since: database.cursor });
  expect(await socket.next()).toMatchObject({ type: 'error', code: 'BAD_USER_INPUT' });
});

test('the settings for traces make those that the page names', async () => {
  const page = read('docs/operating.md');
  const { code } = blocksOf(page).find((block) => block.code.includes('OTEL_EXPORTER_OTLP_ENDPOINT='))!;
  const env = Object.fromEntries([...code.matchAll(/(OTEL_\w+)=(\S+)/g)].map(([, name, value]) => [name, value]));
  const table = page.slice(page.indexOf('| span | kind | of |')).split('\n\n', 1)[0]!;
  const named = [...table.matchAll(/^\| ([^|]+)/gm)].flatMap(([, cell = '']) => cell.match(/(?<=`)[^`,]+(?=`)/g) ?? []);
  await using collector = await startCollector();
  {
    await using app = await startApp({ env: { ...env, ...collector.env } });
    await send(app, person(), 'traced');
  }
  const made = collector.spans.map(({ name }) => name);
  expect(made).toHaveLength(5);
  for (const name of made) expect(named).toContain(name);
  expect(collector.spans[0]?.resource['service.name']).toBe(env['OTEL_SERVICE_NAME']);
});
