import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { CarillonError, MASKED_MESSAGE } from '../../src/errors.ts';
import type { Notifications } from '../../src/services/notifications.ts';
import { type TestApp, person, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';

const path = '/api/v1/notifications';
const { token } = person();

let app: TestApp;
beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => app[Symbol.asyncDispose]());
afterEach(() => {
  jest.restoreAllMocks();
});

const routes: [method: string, path: string, service: keyof Notifications, body: unknown][] = [
  ['GET', path, 'listPage', undefined],
  ['POST', path, 'send', { title: 'a', content: 'b' }],
  ['GET', `${path}/unread-count`, 'unreadCount', undefined],
  ['PUT', `${path}/read`, 'batchMarkRead', { ids: ['x'] }],
  ['GET', `${path}/x`, 'get', undefined],
  ['PUT', `${path}/x/read`, 'markRead', undefined],
  ['DELETE', `${path}/x`, 'delete', undefined],
];

const failWith = (method: keyof Notifications, error: unknown) =>
  jest.spyOn(app.app.context.services.notifications, method as 'send').mockRejectedValue(error);

describe.each(routes)('%s %s', (method, to, service, body) => {
  test('answers an unexpected failure with a masked 500, and logs it', async () => {
    failWith(service, new Error(`select secret from inbox failed at /src/services/${service}.ts:1`));
    const answer = await app.rest(method, to, { token, body });
    expectRefusal(answer, [500, 'INTERNAL_SERVER_ERROR']);
    expect(answer.body.message).toBe(MASKED_MESSAGE);
    const line = app.logged.find((one) => one.includes(`/src/services/${service}.ts:1`));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ level: 50, msg: 'a REST request failed' });
  });

  test.each([
    [429, 'RATE_LIMITED'],
    [503, 'UNAVAILABLE'],
  ] as const)('answers %i with Retry-After', async (status, code) => {
    failWith(service, new CarillonError(code, 'Later.', { retryAfterSeconds: 7 }));
    const answer = await app.rest(method, to, { token, body });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('retry-after')).toBe('7');
    expect(answer.body).toEqual({ code: status, reason: code, message: 'Later.', metadata: { retry_after: 7 } });
  });
});

test.each([
  undefined,
  null,
  'text',
  { statusCode: 418, message: 'select' },
  Object.assign(new Error('x'), { code: 'P1' }),
])('whatever was thrown (%p), the answer is a masked 500', async (thrown) => {
  failWith('unreadCount', thrown);
  expectRefusal(await app.rest('GET', `${path}/unread-count`, { token }), [500, 'INTERNAL_SERVER_ERROR']);
});

test('the cause of an UNAVAILABLE is logged, not told', async () => {
  const cause = new Error('connect ECONNREFUSED 10.0.0.7:5432');
  failWith('unreadCount', new CarillonError('UNAVAILABLE', 'Later.', { cause }));
  const answer = await app.rest('GET', `${path}/unread-count`, { token });
  expectRefusal(answer, [503, 'UNAVAILABLE']);
  expect(app.logged.some((line) => line.includes('ECONNREFUSED 10.0.0.7'))).toBe(true);
});
