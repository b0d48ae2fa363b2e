import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { connectLegacy, sendTo } from './connect.ts';

const TIME = expect.any(String);

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const recallMany = ({ token }: Person, ids: readonly string[]) =>
  app.graphql('mutation ($ids: [ID!]!) { recallMany(ids: $ids) { count } }', { token, variables: { ids } });
const stateOf = async ({ token }: Person) =>
  (await app.graphql('{ inboxState { cursor } }', { token })).data.inboxState.cursor as string;

test('a recall is told to every socket of the recipient as recalled, with the unread count after it', async () => {
  const ada = person();
  const ids = [await sendTo(app, ada), await sendTo(app, ada), await sendTo(app, ada)].map(({ id }) => id as string);
  await using one = await connectLegacy(app, ada);
  await using other = await connectLegacy(app, ada);
  await recallMany(ada, [ids[2]!, ids[0]!]);
  const recalled = { type: 'recalled', notification_ids: [ids[0], ids[2]], unread_count: 1, timestamp: TIME };
  expect(await one.next()).toEqual(recalled);
  expect(await other.next()).toEqual(recalled);
  await app.rest('DELETE', `/api/v1/notifications/${ids[1]}`, { token: ada.token });
  expect(await one.next()).toMatchObject({ type: 'deleted', notification_ids: [ids[1]] });
});

test('whoever comes back is told of recalls of what they had, and nothing of what came and went meanwhile', async () => {
  const ada = person();
  const { id: known } = await sendTo(app, ada);
  const since = await stateOf(ada);
  const { id: unknown } = await sendTo(app, ada);
  const { id: kept } = await sendTo(app, ada);
  await recallMany(ada, [known, unknown]);
  await using socket = await connectLegacy(app, ada, { since });
  expect(socket.welcome['unread_count']).toBe(1);
  expect((await socket.next())['notification'].id).toBe(kept);
  expect(await socket.next()).toMatchObject({ type: 'recalled', notification_ids: [known], unread_count: 1 });
  const { id: live } = await sendTo(app, ada);
  expect((await socket.next())['notification'].id).toBe(live);
});

test('marking what was recalled as read changes nothing and is told to nobody', async () => {
  const ada = person();
  const { id } = await sendTo(app, ada);
  await recallMany(ada, [id]);
  await using socket = await connectLegacy(app, ada);
  socket.send({ type: 'mark_read', notification_ids: [id] });
  socket.send({ type: 'ping' });
  expect((await socket.next())['type']).toBe('pong');
});
