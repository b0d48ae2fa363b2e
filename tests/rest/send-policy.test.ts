import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { TENANT, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { expectRefusal } from './expect-refusal.ts';

const path = '/api/v1/notifications';
const recipient = person();

let app: TestApp;
beforeAll(async () => {
  app = await startApp({ env: { SEND_POLICY: 'privileged' } });
});
afterAll(async () => app[Symbol.asyncDispose]());

const send = (token: string, userId?: string) =>
  app.rest('POST', path, { token, body: { title: 'a', content: 'b', ...(userId ? { user_id: userId } : {}) } });

describe('where sending to others is a privilege', () => {
  test.each([[[]], [['viewer']], [['Admin']], [['senders', 'administrator']], [['constructor', '__proto__']]])(
    'a user with the roles %j sends to nobody else',
    async (roles) => {
      const me = person({ roles });
      expectRefusal(await send(me.token, recipient.id), [403, 'FORBIDDEN']);
      expectRefusal(await send(me.token, me.id.toUpperCase()), [403, 'FORBIDDEN']);
      const input = { title: 'a', content: 'b', recipientId: recipient.id };
      const mutation = 'mutation ($input: SendInput!) { send(input: $input) { id } }';
      const { errors } = await app.graphql(mutation, { token: me.token, variables: { input } });
      expect(errors?.[0]?.extensions['code']).toBe('FORBIDDEN');
      expect((await app.rest('GET', path, { token: recipient.token })).body.total).toBe(0);
    },
  );

  test('everybody sends to themselves', async () => {
    const me = person();
    expect((await send(me.token)).status).toBe(200);
    expect((await send(me.token, me.id)).body).toMatchObject({ user_id: me.id, sender_id: me.id });
  });

  test.each([['sender'], ['admin']])('a user with the role %s sends to others', async (role) => {
    const other = person();
    const me = person({ roles: ['viewer', role] });
    const sent = await send(me.token, other.id);
    expect([sent.status, sent.body.sender_id]).toEqual([200, me.id]);
  });

  test.each([
    ['metadata.roles', { metadata: { roles: ['sender'] } }],
    ['scope', { scope: 'openid sender' }],
    ['scope, beside other metadata', { metadata: { team: 'x' }, scope: 'sender' }],
  ])('the role may come from %s', async (_, claims) => {
    const token = signToken({ user_id: 'robot', tenant_id: TENANT, ...claims });
    expect((await send(token, person().id)).status).toBe(200);
  });

  test('a sender does not reach into another tenant', async () => {
    const elsewhere = person({ tenantId: 'globex' });
    const me = person({ roles: ['sender'] });
    expect((await send(me.token, elsewhere.id)).body.tenant_id).toBe(TENANT);
    expect((await app.rest('GET', path, { token: elsewhere.token })).body.total).toBe(0);
  });
});
