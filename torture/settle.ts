import { setTimeout as delay } from 'node:timers/promises';
import { Redis } from 'ioredis';
import type { Client } from 'pg';
import type { Cluster } from './cluster.ts';
import type { Device } from './device.ts';
import { versionOf } from './device-fold.ts';
import type { Load } from './load.ts';
import type { Inbox } from './population.ts';
import type { Caller } from './request.ts';
import type { Senders } from './senders.ts';
import { type Table, countStatements, readHeads, readTable, withDatabase } from './table.ts';
import { whatDiffers } from './verdict-device.ts';

export interface SettleOptions {
  cluster: Cluster;
  devices: readonly Device[];
  inboxes: readonly Inbox[];
  senders: Senders;
  load: Load;
  caller: Caller;
}

const CATCH_UP_MS = 60_000;
const READY_MS = 60_000;
const POLL_MS = 100;
const LOOK_MS = 250;
const LEAVE_MS = 15_000;

/** No statement for this long: nobody who gave up a request left one behind. */
const STILL_MS = 1000;

/** A sweep and some: what is told twice or late would come in this time. */
const AFTERMATH_MS = 3000;

/**
 * With all faults healed: lets what is under way end, waits until every device has what its inbox has, with nothing new
 * that could wake it, then sends one last notification to every inbox and waits for that. Answers with a line for each
 * device that does not get that far in a minute.
 */
export async function settle(options: SettleOptions): Promise<string[]> {
  const { cluster, devices, inboxes, senders, load, caller } = options;
  await load.drained();
  await ready(cluster, caller);
  return withDatabase(cluster.databaseUrl, async (client) => {
    await stillness(client);
    const different = await unlike(devices, await readTable(client));
    await Promise.all(inboxes.map((inbox) => senders.send(inbox)));
    await stillness(client);
    const heads = await readHeads(client);
    const isThere = (device: Device): boolean => versionOf(device.cursor) >= (heads.get(device.inbox.name) ?? 0);
    await allThere(devices, isThere);
    const laggards = devices.filter((device) => !isThere(device));
    await delay(AFTERMATH_MS);
    const late = laggards.map((device) => {
      const { name, kind, inbox, cursor } = device;
      const endings = [...device.endings].map(([reason, count]) => `${count} × ${reason}`).join(', ');
      return `${name} (${kind}) of ${inbox.name} stays at ${versionOf(cursor)}, its inbox is at ${heads.get(inbox.name)}; connections ended: ${endings}`;
    });
    return [...different, ...late];
  });
}

/** Waits until every device has what its inbox has; answers with those that do not get there, and what they lack. */
async function unlike(devices: readonly Device[], { inboxes }: Table): Promise<string[]> {
  const deadline = performance.now() + CATCH_UP_MS;
  const differences = (device: Device): string[] => whatDiffers(device, inboxes.get(device.inbox.name));
  let left = [...devices];
  for (;;) {
    left = left.filter((device) => differences(device).length > 0);
    if (left.length === 0 || performance.now() > deadline) break;
    await delay(LOOK_MS);
  }
  return left.map((device) => `still ${CATCH_UP_MS / 1000} s after all is healed: ${differences(device)[0]}`);
}

/** Topics that servers are still subscribed to some time after the last device has left: none, unless they leak. */
export async function topicsLeft({ redisUrl }: Cluster): Promise<string[]> {
  const redis = new Redis(redisUrl);
  try {
    const deadline = performance.now() + LEAVE_MS;
    for (;;) {
      const topics = (await redis.pubsub('CHANNELS', 'carillon:inbox:*')) as string[];
      if (topics.length === 0 || performance.now() > deadline) return topics;
      await delay(POLL_MS);
    }
  } finally {
    redis.disconnect();
  }
}

/** Resolves on the event that the last device has caught up, or when there is no more time. */
async function allThere(devices: readonly Device[], isThere: (device: Device) => boolean): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const late = setTimeout(resolve, CATCH_UP_MS);
  const waiting = new Set(devices.filter((device) => !isThere(device)));
  if (waiting.size === 0) resolve();
  for (const device of waiting) {
    device.onTaken = () => {
      if (!isThere(device)) return;
      device.onTaken = undefined;
      waiting.delete(device);
      if (waiting.size === 0) resolve();
    };
  }
  await promise;
  clearTimeout(late);
}

/** Resolves when every server says that it is ready. */
async function ready({ nodes }: Cluster, caller: Caller): Promise<void> {
  const deadline = performance.now() + READY_MS;
  for (const { url, instance } of nodes) {
    for (;;) {
      const ask = { url, method: 'GET', path: '/ready', token: '' };
      const status = await caller.ask(ask).then(
        (answer) => answer.status,
        () => 0,
      );
      if (status === 200) break;
      if (performance.now() > deadline) throw new Error(`${instance.name} does not become ready again`);
      await delay(POLL_MS);
    }
  }
}

/** Resolves when no server has had a statement under way for a while. */
async function stillness(client: Client): Promise<void> {
  const deadline = performance.now() + READY_MS;
  let since = performance.now();
  while (performance.now() - since < STILL_MS) {
    if (performance.now() > deadline) throw new Error('the servers never stop writing');
    await delay(POLL_MS);
    if ((await countStatements(client)) > 0) since = performance.now();
  }
}
