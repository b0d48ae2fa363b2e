import { mkdtempDisposableSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { createConsole } from '../../src/web/console.ts';
import { type TestApp, startApp } from '../support/app.ts';

let app: TestApp;
let assets: string[];

const get = (path: string, headers: Record<string, string> = {}) => fetch(`${app.url}${path}`, { headers });

beforeAll(async () => {
  app = await startApp();
  const html = await (await get('/')).text();
  assets = [...html.matchAll(/(?:src|href)="\.?(\/assets\/[^"]+)"/g)].map(([, path = '']) => path);
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

test('the console at the root takes everything from this server, and may not be framed', async () => {
  const page = await get('/');
  expect(page.status).toBe(200);
  expect(page.headers.get('content-type')).toMatch(/^text\/html/);
  expect(page.headers.get('cache-control')).toBe('no-cache');
  expect(page.headers.get('x-content-type-options')).toBe('nosniff');
  expect(page.headers.get('referrer-policy')).toBe('no-referrer');
  const policy = page.headers.get('content-security-policy');
  for (const rule of ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"]) {
    expect(policy?.split('; ')).toContain(rule);
  }
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
  expect(await page.text()).not.toMatch(/<script>|<style>|(src|href)="(https?:)?\/\//);
});

test('its assets are compressed and may be kept for good', async () => {
  expect(assets.length).toBeGreaterThan(1);
  const script = assets.find((path) => path.endsWith('.js')) ?? '';
  for (const encoding of ['gzip', 'br']) {
    const answer = await get(script, { 'accept-encoding': encoding });
    expect([answer.status, answer.headers.get('content-encoding')]).toEqual([200, encoding]);
    expect(answer.headers.get('content-type')).toMatch(/^text\/javascript/);
    expect(answer.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
  }
  expect((await get(script, { 'accept-encoding': 'identity' })).headers.get('content-encoding')).toBeNull();
});

test('a page that a browser has already is not sent again', async () => {
  const etag = (await get('/')).headers.get('etag') ?? '';
  expect((await get('/', { 'if-none-match': etag })).status).toBe(304);
});

test.each([
  '/assets/',
  '/assets/none.js',
  '/assets/..%2findex.html',
  '/assets/%2e%2e/%2e%2e/package.json',
  '/.built-from',
])('there is nothing at %s', async (path) => {
  const answer = await get(path);
  expect([answer.status, await answer.json()]).toMatchObject([404, { code: 404, reason: 'NOT_FOUND' }]);
});

test('other methods are refused', async () => {
  for (const path of ['/', assets[0] ?? '', '/console.json']) {
    const answer = await fetch(`${app.url}${path}`, { method: 'POST' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  }
});

test('nobody is offered demo accounts of a database of one’s own', async () => {
  expect(await (await get('/console.json')).json()).toEqual({
    version: expect.stringMatching(/^\d+\.\d+\.\d+/),
    demo: null,
  });
});

test('where the console has not been built there is none to serve', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-web-'));
  expect(createConsole(join(folder.path, 'dist'))).toBeNull();
});
