import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type TestApp, expiresSoon, person, signToken, startApp } from '../support/app.ts';
import { frame, openRaw } from '../support/socket-client.ts';
import { connectLegacy, sendTo } from './connect.ts';

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});
afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

test('a token that expires while connected closes with 4401 within a second, and no other socket', async () => {
  const ada = person();
  const exp = expiresSoon();
  const token = signToken({ user_id: ada.id, tenant_id: ada.tenantId, exp });
  await using lasting = await connectLegacy(app, ada);
  await using socket = await connectLegacy(app, { token });
  expect(await socket.closed).toEqual({ code: 4401, reason: 'The token has expired' });
  expect(Date.now()).toBeGreaterThanOrEqual(exp * 1000);
  expect(Date.now()).toBeLessThan(exp * 1000 + 1000);
  await sendTo(app, ada);
  expect((await lasting.next())['type']).toBe('notification');
});

test('a peer that does not answer the close is served no more', async () => {
  const ada = person();
  const { id } = await sendTo(app, ada);
  const token = signToken({ user_id: ada.id, tenant_id: ada.tenantId, exp: expiresSoon() });
  const socket = await openRaw(app.legacySocketUrl(), { token });
  const seen: string[] = [];
  for await (const chunk of socket.iterator({ destroyOnReturn: false })) {
    seen.push(String(chunk));
    if (seen.join('').includes('The token has expired')) break;
  }
  socket.write(frame(JSON.stringify({ type: 'mark_read', notification_ids: [id] })));
  await using probe = await connectLegacy(app, ada);
  probe.send({ type: 'ping' });
  await probe.next();
  socket.destroy();
  const { body } = await app.rest('GET', `/api/v1/notifications/${id}`, { token: ada.token });
  expect(body.is_read).toBe(false);
});
