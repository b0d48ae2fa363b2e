import { rm } from 'node:fs/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { type TestRedis, startRedis } from '../support/redis.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** So many that looking again and again spends but a small part of them. */
const POINTS = 1000;
const PART = 600;

let resources: AsyncDisposableStack;
let directory: string;
let redis: TestRedis;
let databaseUrl: string;
beforeEach(async () => {
  resources = new AsyncDisposableStack();
  directory = await temporaryDirectory('carillon-limits-');
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  redis = await startRedis(directory);
  resources.defer(() => redis[Symbol.asyncDispose]());
  databaseUrl = resources.use(await createTestDatabase()).url;
});
afterEach(async () => {
  await resources.disposeAsync();
});

async function startTwo(window: string): Promise<[TestApp, TestApp]> {
  const env = { REDIS_URL: redis.url, RATE_LIMIT_USER: `${POINTS}/${window}` };
  return [resources.use(await startApp({ databaseUrl, env })), resources.use(await startApp({ databaseUrl, env }))];
}

const spend = (at: TestApp, { id: userId, tenantId }: Person, points: number): void =>
  at.app.context.rateLimits.spend({ userId, tenantId }, points, 'rest');

const ask = (at: TestApp, { token }: Person) => at.rest('GET', '/api/v1/notifications/unread-count', { token });
const isServed = async (at: TestApp, who: Person) => (await ask(at, who)).status === 200;
const isRefused = async (at: TestApp, who: Person) => (await ask(at, who)).status === 429;

describe('instances with one Redis', () => {
  test('refuse on each of them what their users have spent on all', async () => {
    const [one, other] = await startTwo('1h');
    const [ada, uma] = [person(), person()];
    spend(one, ada, PART);
    expect(await isServed(one, ada)).toBe(true);
    spend(other, ada, PART);
    expect(await isServed(other, ada)).toBe(true);
    for (const at of [one, other]) {
      // Whoever is told of the sum first is refused at once; the other one when it next admits something.
      await eventually(() => isRefused(at, ada));
      const refused = await ask(at, ada);
      expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
      expect(await isServed(at, uma)).toBe(true);
    }
  });

  test('serve again when there are points again', async () => {
    const [one, other] = await startTwo('10m');
    const ada = person();
    spend(one, ada, PART);
    spend(other, ada, PART);
    await eventually(() => isRefused(one, ada));
    await eventually(() => isServed(one, ada));
  });
});

test('while Redis is away each instance holds its own limits, nobody waits or fails, and the log says it once', async () => {
  const [one, other] = await startTwo('1h');
  const [ada, uma] = [person(), person()];
  const { port } = redis;
  await redis[Symbol.asyncDispose]();
  const says = (at: TestApp, words: string) => at.logged.filter((line) => line.includes(words)).length;
  for (const at of [one, other]) {
    await eventually(() => says(at, 'each process limits for itself'));
    spend(at, ada, PART);
    expect(await isServed(at, ada)).toBe(true);
    expect(() => spend(at, ada, PART)).toThrow(expect.objectContaining({ code: 'RATE_LIMITED' }));
  }

  redis = await startRedis(directory, port);
  for (const at of [one, other]) {
    await eventually(() => says(at, 'instances limit together again'), 20_000);
    spend(at, uma, PART);
  }
  for (const at of [one, other]) await eventually(() => isRefused(at, uma));
  expect(says(one, 'each process limits for itself')).toBe(1);
});
