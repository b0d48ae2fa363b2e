import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { person, startApp } from '../support/app.ts';
import { databaseUrl, withClient } from '../support/postgres.ts';

const adminUrl = process.env['TEST_POSTGRES_ADMIN_URL'] as string;

test('ten instances that start at once on an empty database all become ready and serve one inbox', async () => {
  const name = `carillon_ten_${randomBytes(6).toString('hex')}`;
  await using resources = new AsyncDisposableStack();
  await withClient(adminUrl, (client) => client.query(`CREATE DATABASE ${name} ENCODING 'UTF8' TEMPLATE template0`));
  resources.defer(async () => {
    await withClient(adminUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));
  });
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] as string };
  const url = databaseUrl(adminUrl, name);
  const started = await Promise.allSettled(Array.from({ length: 10 }, () => startApp({ env, databaseUrl: url })));
  const apps = started.flatMap((one) => (one.status === 'fulfilled' ? [resources.use(one.value)] : []));
  expect(started.filter(({ status }) => status === 'rejected')).toEqual([]);
  const owner = person();
  const body = { title: 'Title', content: 'Content' };
  const answers = await Promise.all(
    apps.map((app) => app.rest('POST', '/api/v1/notifications', { token: owner.token, body })),
  );
  expect(answers.map(({ status }) => status)).toEqual(apps.map(() => 200));
  const { body: count } = await apps[0]!.rest('GET', '/api/v1/notifications/unread-count', { token: owner.token });
  expect(count).toEqual({ count: 10 });
});
