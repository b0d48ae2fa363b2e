import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { rawRequest } from '../rest/raw-request.ts';
import { type TestApp, person, startApp } from '../support/app.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==';
const VERSION = 'Sec-WebSocket-Version: 13';
const { token } = person();

describe.each(['/graphql', '/api/v1/notifications/ws'])('a handshake at %s', (path) => {
  const shake = (headers: readonly string[], method = 'GET') =>
    rawRequest(app.url, {
      method,
      path,
      headers: [`Authorization: Bearer ${token}`, 'Connection: Upgrade', 'Upgrade: websocket', ...headers],
    });

  test.each([
    ['without a key', [VERSION]],
    ['with a key that is none', ['Sec-WebSocket-Key: x', VERSION]],
    ['without a version', [KEY]],
    ['of an old version', [KEY, 'Sec-WebSocket-Version: 7']],
    ['with a sub-protocol that no header may hold', [KEY, VERSION, 'Sec-WebSocket-Protocol: a b']],
  ])('%s is refused as PROTOCOL.md has it, and told the version', async (_, headers) => {
    const answer = await shake(headers);
    expect(JSON.parse(answer.text)).toMatchObject({ code: 400, reason: 'BAD_USER_INPUT', metadata: {} });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(answer.headers.get('sec-websocket-version')).toBe('13');
  });

  test('by another method than GET is told which one to use', async () => {
    const answer = await shake([KEY, VERSION], 'POST');
    expect(JSON.parse(answer.text)).toMatchObject({ code: 405, reason: 'METHOD_NOT_ALLOWED' });
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'GET']);
  });
});
