import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { graphqlSocketDevice, legacyDevice } from '../cluster/devices.ts';
import { person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { expectNoLeaks } from '../support/leaks.ts';

const BEGINNING = '-----------0';

async function useEverything(env: Record<string, string>): Promise<void> {
  await using app = await startApp({ env });
  const owner = person();
  const body = { title: 'Title', content: 'Content' };
  const devices = await Promise.all([
    legacyDevice(app, owner),
    legacyDevice(app, owner, BEGINNING),
    graphqlSocketDevice(app, owner, BEGINNING),
  ]);
  await app.rest('POST', '/api/v1/notifications', { token: owner.token, body });
  await app.graphql('{ unreadCount }', { token: owner.token });
  for (const { added } of devices) await added.count(1);
  expect(app.app.context.hub.feedCount).toBe(1);
  await Promise.all(devices.slice(1).map((device) => device[Symbol.asyncDispose]()));
  await devices[0][Symbol.asyncDispose]();
  await eventually(() => app.app.context.hub.feedCount === 0 && app.app.doors.connections.size === 0);
}

test('an app that was used on every door leaves no feed while it runs, and nothing at all after it', async () => {
  // The first life loads what stays for good: modules, the pool of the fetch of this process.
  await useEverything({});
  await expectNoLeaks(() => useEverything({}));
});

test('nor does one on Redis', async () => {
  const env = { REDIS_URL: process.env['TEST_REDIS_URL'] as string };
  await useEverything(env);
  await expectNoLeaks(() => useEverything(env));
});

test('nor one that is ended with its devices still connected', async () => {
  await expectNoLeaks(async () => {
    const app = await startApp();
    const owner = person();
    const devices = await Promise.all([legacyDevice(app, owner), graphqlSocketDevice(app, owner, BEGINNING)]);
    const { hub } = app.app.context;
    await app[Symbol.asyncDispose]();
    expect(hub.feedCount).toBe(0);
    await Promise.all(devices.map((device) => device[Symbol.asyncDispose]()));
  });
});

test('nor one that could not start', async () => {
  // Not by another app, whose own work opens connections when it likes.
  await using taken = createServer();
  taken.listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const port = String((taken.address() as AddressInfo).port);
  const fail = () => expect(startApp({ env: { PORT: port } })).rejects.toThrow('EADDRINUSE');
  await fail();
  await expectNoLeaks(fail);
});
