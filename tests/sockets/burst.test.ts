import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';
import { connectGraphQL, connectLegacy, sendTo, subscribe } from './connect.ts';

const SENDS = 600;

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

test.each([10, 10_000])('a brisk reader gets six hundred notifications of %d characters sent at once', async (size) => {
  const ada = person();
  await using legacy = await connectLegacy(app, ada);
  await using graphql = await connectGraphQL(app, ada);
  subscribe(graphql, '1');
  const sent = await Promise.all(Array.from({ length: SENDS }, () => sendTo(app, ada, { content: 'x'.repeat(size) })));
  const ids = (await legacy.take(SENDS)).map((message) => message['notification'].id as string);
  expect(new Set(ids)).toEqual(new Set(sent.map(({ id }) => id as string)));
  const other = (await graphql.take(SENDS)).map(({ payload }) => payload.data.notificationAdded.id as string);
  expect(other).toEqual(ids);
});
