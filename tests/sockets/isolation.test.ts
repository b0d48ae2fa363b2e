import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Person, type TestApp, signToken, startApp } from '../support/app.ts';
import { BEGINNING, connectGraphQL, connectLegacy, sendTo, subscribe } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const personOf = (tenantId: string, id: string): Person => ({
  id,
  tenantId,
  token: signToken({ user_id: id, tenant_id: tenantId }),
});

/** Pairs that a careless key would mix up. */
const strangers: [string, (unique: string) => [Person, Person]][] = [
  ['another user of the tenant', (unique) => [personOf('t', unique), personOf('t', `${unique}2`)]],
  ['the user of the same id in another tenant', (unique) => [personOf('t', unique), personOf('t2', unique)]],
  ['a user whose id begins where the tenant ends', (unique) => [personOf('t', `a${unique}`), personOf('ta', unique)]],
  ['a user whose id holds a separator', (unique) => [personOf('t', `a:${unique}`), personOf('t:a', unique)]],
  ['a user whose id differs in case', (unique) => [personOf('t', `a${unique}`), personOf('t', `A${unique}`)]],
  ['a user whose id is the encoded one', (unique) => [personOf('t', `%3A${unique}`), personOf('t', `:${unique}`)]],
];

test.each(strangers)('nothing arrives at the sockets of %s', async (_, people) => {
  const [ada, eve] = people(randomUUID());
  await using adaLegacy = await connectLegacy(app, ada);
  await using adaGraphql = await connectGraphQL(app, ada);
  subscribe(adaGraphql, '1', BEGINNING);
  await using eveLegacy = await connectLegacy(app, eve);
  await using eveGraphql = await connectGraphQL(app, eve);
  subscribe(eveGraphql, '1', BEGINNING);

  const { id } = await sendTo(app, ada);
  eveLegacy.send({ type: 'mark_read', notification_ids: [id] });
  const gone = await sendTo(app, ada);
  // A subscription replays nothing of what is gone: both have to be there before one is.
  await adaGraphql.take(2);
  await app.rest('PUT', `/api/v1/notifications/${id}/read`, { token: ada.token });
  await app.rest('DELETE', `/api/v1/notifications/${gone['id']}`, { token: ada.token });
  expect((await adaLegacy.take(4)).map(({ type }) => type)).toEqual([
    'notification',
    'notification',
    'read',
    'deleted',
  ]);

  // Whatever had come by mistake would have come before this.
  const own = await sendTo(app, eve);
  expect(await eveLegacy.next()).toMatchObject({ notification: { id: own['id'] }, unread_count: 1 });
  expect((await eveGraphql.next())['payload'].data.notificationAdded.id).toBe(own['id']);
  expect([adaLegacy, adaGraphql, eveLegacy, eveGraphql].flatMap((socket) => socket.rest())).toEqual([]);
});

test('a user sees nothing of what they send to others', async () => {
  const [ada, bob] = [personOf('t', randomUUID()), personOf('t', randomUUID())];
  await using ofAda = await connectLegacy(app, ada);
  await using ofBob = await connectLegacy(app, bob);
  await app.rest('POST', '/api/v1/notifications', {
    token: ada.token,
    body: { user_id: bob.id, title: 'T', content: 'C' },
  });
  expect(await ofBob.next()).toMatchObject({ type: 'notification', unread_count: 1 });
  ofAda.send({ type: 'ping' });
  expect((await ofAda.next())['type']).toBe('pong');
});
