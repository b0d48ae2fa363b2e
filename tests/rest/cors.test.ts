import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type TestApp, person, startApp } from '../support/app.ts';

const path = '/api/v1/notifications';
const friend = 'https://app.example.com';
const strangers = ['https://evil.example', 'http://app.example.com', 'https://app.example.com.evil.example', 'null'];

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ env: { ALLOWED_ORIGINS: `${friend}, https://other.example` } });
});
afterAll(async () => app[Symbol.asyncDispose]());

const preflight = (origin: string) =>
  app.rest('OPTIONS', path, {
    headers: {
      origin,
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'authorization,content-type,idempotency-key',
    },
  });

describe('a preflight', () => {
  test('from an allowed origin is answered without a token', async () => {
    const { status, headers } = await preflight(friend);
    expect(status).toBe(204);
    expect(headers.get('access-control-allow-origin')).toBe(friend);
    expect(headers.get('access-control-allow-methods')?.split(',')).toEqual(
      expect.arrayContaining(['GET', 'POST', 'PUT', 'DELETE']),
    );
    expect(headers.get('access-control-allow-headers')).toBe('authorization,content-type,idempotency-key');
    expect(headers.get('access-control-allow-credentials')).toBeNull();
    expect(headers.get('vary')).toContain('Origin');
  });

  test.each(strangers)('from %s allows nothing', async (origin) => {
    const { headers } = await preflight(origin);
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('vary')).toContain('Origin');
  });
});

describe('an answer', () => {
  test('can be read by an allowed origin, a refusal too', async () => {
    for (const [token, expected] of [
      [person().token, 200],
      [undefined, 401],
    ] as const) {
      const { status, headers } = await app.rest('GET', path, { token, headers: { origin: friend } });
      expect(status).toBe(expected);
      expect(headers.get('access-control-allow-origin')).toBe(friend);
      expect(headers.get('access-control-expose-headers')).toContain('Retry-After');
    }
  });

  test.each(strangers)('cannot be read by %s', async (origin) => {
    const { headers } = await app.rest('GET', path, { token: person().token, headers: { origin } });
    expect(headers.get('access-control-allow-origin')).toBeNull();
  });

  test('is never taken for something else than it says', async () => {
    for (const one of [path, '/health', '/nothing', '/api/v1/openapi.json']) {
      expect((await app.rest('GET', one)).headers.get('x-content-type-options')).toBe('nosniff');
    }
  });
});
