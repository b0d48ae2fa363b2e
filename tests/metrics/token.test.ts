import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config.ts';
import { type TestApp, TEST_SECRET, person, startApp } from '../support/app.ts';
import { get } from './support.ts';

const TOKEN = 'a-token-of-16-ch';

let app: TestApp;

beforeAll(async () => {
  app = await startApp({ env: { METRICS_TOKEN: TOKEN } });
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

describe('where METRICS_TOKEN is set', () => {
  test('/metrics answers those who have it', async () => {
    const answer = await get(`${app.url}/metrics`, { authorization: `Bearer ${TOKEN}` });
    expect(answer.status).toBe(200);
    expect(answer.body).toContain('carillon_connections{door="sse"} 0');
  });

  test.each([
    ['no token', {}],
    ['another token', { authorization: 'Bearer another-token-of-it' }],
    ['the beginning of the token', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ['more than the token', { authorization: `Bearer ${TOKEN}x` }],
    ['another scheme', { authorization: `Basic ${TOKEN}` }],
    ['the token of an admin', { authorization: `Bearer ${person({ roles: ['admin'] }).token}` }],
  ] as [string, Record<string, string>][])('%s is refused with 401', async (_, headers) => {
    for (const method of ['GET', 'HEAD']) {
      const answer = await get(`${app.url}/metrics`, headers, method);
      expect([answer.status, answer.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(answer.body).not.toContain('carillon_');
    }
  });

  test('nothing of it is logged', async () => {
    await get(`${app.url}/metrics`, { authorization: `Bearer ${TOKEN}x` });
    expect(app.logged.join('')).not.toContain(TOKEN);
  });
});

describe('METRICS_TOKEN', () => {
  const load = (METRICS_TOKEN: string) => () => loadConfig({ JWT_SECRET: TEST_SECRET, METRICS_TOKEN });

  test('is unset unless given, and then at least 16 characters that a header can carry', () => {
    expect(load('')().metricsToken).toBeUndefined();
    expect(load(TOKEN)().metricsToken).toBe(TOKEN);
    expect(load('fifteen-letters')).toThrow('METRICS_TOKEN must be at least 16 characters long');
    expect(load('a token with spaces')).toThrow('METRICS_TOKEN must be of ASCII characters without spaces');
  });
});
