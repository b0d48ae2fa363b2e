import { describe, expect, test } from '@jest/globals';
import { person, startApp } from '../support/app.ts';
import { createTestDatabase, databaseUrl, withClient } from '../support/postgres.ts';

const adminUrl = process.env['TEST_POSTGRES_ADMIN_URL'] as string;

describe('a server that works', () => {
  test('is healthy and ready, at exactly these addresses, without a token', async () => {
    await using app = await startApp();
    const health = await app.rest('GET', '/health');
    expect([health.status, health.body]).toEqual([200, { status: 'ok' }]);
    const ready = await app.rest('GET', '/ready');
    expect([ready.status, ready.body]).toEqual([200, { status: 'ready' }]);
    expect((await app.rest('GET', '/health?verbose=1', { token: 'garbage' })).status).toBe(200);
    for (const path of ['/health/', '/ready/', '/healthz', '/api/v1/health', '//health']) {
      expect((await app.rest('GET', path)).status).toBe(404);
    }
  });
});

describe('a server whose database is gone', () => {
  test('stays healthy, is not ready, and tells callers to come back', async () => {
    await using database = await createTestDatabase();
    await using app = await startApp({ databaseUrl: database.url });
    const { token } = person();
    expect((await app.rest('GET', '/api/v1/notifications', { token })).status).toBe(200);
    const name = new URL(database.url).pathname.slice(1);
    await withClient(adminUrl, (client) => client.query(`DROP DATABASE ${name} WITH (FORCE)`));

    const ready = await app.rest('GET', '/ready');
    expect([ready.status, ready.body]).toEqual([503, { status: 'unavailable' }]);
    expect((await app.rest('GET', '/health')).status).toBe(200);

    const requests = [
      ['GET', '/api/v1/notifications', undefined],
      ['POST', '/api/v1/notifications', { title: 'a', content: 'b' }],
      ['PUT', '/api/v1/notifications/read', { ids: ['01a208a7-6cad-778e-a913-0b76eee66faa'] }],
      ['POST', '/api/v1/auth/login', { username: 'a', password: 'b' }],
      ['POST', '/api/v1/auth/refresh', { refresh_token: 'a' }],
    ] as const;
    for (const [method, path, body] of requests) {
      const answer = await app.rest(method, path, { token, body });
      expect([path, answer.status, answer.body.reason]).toEqual([path, 503, 'UNAVAILABLE']);
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
    }

    await withClient(adminUrl, (client) =>
      client.query(`CREATE DATABASE ${name} TEMPLATE ${process.env['TEST_POSTGRES_TEMPLATE']}`),
    );
    expect((await app.rest('GET', '/ready')).status).toBe(200);
    expect((await app.rest('GET', '/api/v1/notifications', { token })).status).toBe(200);
  });

  test('answers so too when its connections are cut one by one', async () => {
    await using app = await startApp();
    const { token } = person();
    await app.rest('GET', '/api/v1/notifications', { token });
    const name = new URL(app.databaseUrl).pathname.slice(1);
    await withClient(databaseUrl(adminUrl, 'postgres'), (client) =>
      client.query('SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1', [name]),
    );
    const answer = await app.rest('GET', '/api/v1/notifications', { token });
    if (answer.status !== 200) {
      const metadata = { retry_after: 1 };
      expect(answer.body).toEqual({ code: 503, reason: 'UNAVAILABLE', message: expect.any(String), metadata });
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '1']);
    }
    expect((await app.rest('GET', '/ready')).status).toBe(200);
  });
});
