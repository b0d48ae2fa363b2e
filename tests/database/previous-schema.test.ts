import { expect, test } from '@jest/globals';
import { graphqlSocketDevice } from '../cluster/devices.ts';
import { migrationNames } from '../../src/entities/migrations/names.ts';
import { person, startApp } from '../support/app.ts';
import { withClient } from '../support/postgres.ts';
import { databaseAt, pretendMigrated } from './schemas.ts';

const BEGINNING = '-----------0';

test('a server whose newest migration is not there serves inboxes all the same', async () => {
  await using database = await databaseAt(migrationNames.at(-2)!);
  await pretendMigrated(database.url);
  await using app = await startApp({ databaseUrl: database.url });
  const owner = person();
  await using device = await graphqlSocketDevice(app, owner, BEGINNING);
  const sent = await app.rest('POST', '/api/v1/notifications', {
    token: owner.token,
    body: { title: 'Title', content: 'Content' },
  });
  expect(sent.status).toBe(200);
  await device.added.count(1);
  const { id } = sent.body;
  const page = '{ notifications { totalCount nodes { id isRead deliveries { id } } } }';
  const list = async () => (await app.graphql(page, { token: owner.token })).data?.notifications;
  expect(await list()).toEqual({ totalCount: 1, nodes: [{ id, isRead: false, deliveries: [] }] });
  expect((await app.rest('PUT', `/api/v1/notifications/${id}/read`, { token: owner.token, body: {} })).status).toBe(
    200,
  );
  expect((await list()).nodes).toEqual([{ id, isRead: true, deliveries: [] }]);
  expect((await app.rest('DELETE', `/api/v1/notifications/${id}`, { token: owner.token })).status).toBe(200);
  expect(await list()).toEqual({ totalCount: 0, nodes: [] });
});

test('and one that starts on the schema of an earlier release brings it up to date, with what is in it', async () => {
  await using database = await databaseAt('Migration20261123_initial');
  const owner = person();
  // As 0.1.0 wrote it.
  await withClient(database.url, async (client) => {
    const { rows } = await client.query<{ id: string }>(
      `insert into inbox (tenant_id, user_id, epoch, version, total, unread) values ($1, $2, 'abcdefghijk', 1, 1, 1)
       returning id`,
      [owner.tenantId, owner.id],
    );
    await client.query(
      `insert into notification (id, inbox_id, seq, version, type, priority, channel, status, title, content, created_at)
       values ('01900000-0000-7000-8000-000000000000', $1, 1, 1, 'SYSTEM', 'NORMAL', 'IN_APP', 'SENT', 'Old', 'c', now())`,
      [rows[0]!.id],
    );
  });
  await using app = await startApp({ databaseUrl: database.url });
  const { data } = await app.graphql('{ unreadCount notifications { nodes { title isRead } } }', {
    token: owner.token,
  });
  expect(data).toEqual({ unreadCount: 1, notifications: { nodes: [{ title: 'Old', isRead: false }] } });
});
