import type { RequestListener } from 'node:http';
import { describe, expect, test } from '@jest/globals';
import { createSmsChannel } from '../../src/channels/sms.ts';
import { loadConfig } from '../../src/config.ts';
import { type Channel, DeliveryFailure } from '../../src/services/channel.ts';
import { answering, deliver, type FarSide, failureOf, PATIENCE_MS, silent, startFarSide } from './support.ts';

const ACCOUNT = { SMS_ACCOUNT_SID: 'AC123', SMS_AUTH_TOKEN: 'hidden', SMS_FROM: '+15005550006' };
const channelWith = (env: Record<string, string>): Channel => createSmsChannel(loadConfig(env), silent);

async function start(answer: RequestListener): Promise<{ far: FarSide; channel: Channel }> {
  const far = await startFarSide(answer);
  return { far, channel: channelWith({ ...ACCOUNT, SMS_API_URL: `http://127.0.0.1:${far.port}` }) };
}

const json = (status: number, body: unknown, headers = {}): RequestListener =>
  answering(status, { 'content-type': 'application/json', ...headers }, JSON.stringify(body));

const created = json(201, { sid: 'SM1', status: 'queued', error_code: null });
const address = '+442071838750';
const signal = (): AbortSignal => AbortSignal.timeout(PATIENCE_MS);

test('the first setting that is missing is named', () => {
  expect(channelWith({}).missingSetting).toBe('SMS_ACCOUNT_SID');
  expect(channelWith({ SMS_ACCOUNT_SID: 'AC123' }).missingSetting).toBe('SMS_AUTH_TOKEN');
  expect(channelWith({ ...ACCOUNT, SMS_FROM: '' }).missingSetting).toBe('SMS_FROM');
  expect(channelWith(ACCOUNT)).toMatchObject({ missingSetting: undefined, audience: 'recipient' });
});

test.each([
  ['+442071838750', '+442071838750'],
  [' +44 (20) 7183-8750 ', '+442071838750'],
  ['+1.500.555.0006', '+15005550006'],
])('%s is the number %s', (text, number) => {
  expect(channelWith(ACCOUNT).address(text)).toBe(number);
});

test.each([
  '',
  '02071838750',
  '0044207183875',
  '+0442071838750',
  '+12345',
  '+1234567890123456',
  '+44 207 CALL',
  '+4４2071838750',
  '+1,+2',
])('the number %p is refused', (text) => {
  expect(() => channelWith(ACCOUNT).address(text)).toThrow('must be a phone number with its country code');
});

test('a message is one form, as Twilio wants it, and is SENT under its sid', async () => {
  const { far, channel } = await start(created);
  await using _ = far;
  const notification = { title: 'Grüße & mehr', content: 'Zwölf=12?\n🔔' };
  expect(await deliver(channel, { address, notification })).toEqual({ status: 'SENT', reference: 'SM1' });
  const [{ method, path, headers, body }] = far.received as [FarSide['received'][number]];
  expect([method, path]).toEqual(['POST', '/2010-04-01/Accounts/AC123/Messages.json']);
  expect(headers).toMatchObject({
    'content-type': 'application/x-www-form-urlencoded',
    authorization: `Basic ${Buffer.from('AC123:hidden').toString('base64')}`,
  });
  expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
    To: address,
    From: '+15005550006',
    Body: 'Grüße & mehr\nZwölf=12?\n🔔',
  });
});

test.each([
  ['a'.repeat(5000), `t\n${'a'.repeat(1595)}...`],
  // Half of a character would not be text.
  [`${'a'.repeat(1594)}${'🔔'.repeat(100)}`, `t\n${'a'.repeat(1594)}...`],
  ['a'.repeat(1598), `t\n${'a'.repeat(1598)}`],
])('a text that is too long is cut (%#)', async (content, text) => {
  const { far, channel } = await start(created);
  await using _ = far;
  await deliver(channel, { address, notification: { title: 't', content } });
  expect(new URLSearchParams(far.received[0]!.body).get('Body')).toBe(text);
});

test('a message without a sid cannot be asked about', async () => {
  const { far, channel } = await start(answering(200, {}, 'fine'));
  await using _ = far;
  expect(await deliver(channel, { address })).toEqual({ status: 'SENT' });
});

test.each([
  [21_211, { permanent: true, dropAddress: false }],
  [21_614, { permanent: true, dropAddress: false }],
  [21_610, { permanent: true, dropAddress: true }],
])('the refusal %d fails with %j, and shows nothing but its number', async (code, kind) => {
  const { far, channel } = await start(json(400, { code, message: 'secret words', status: 400 }));
  await using _ = far;
  const failure = await failureOf(deliver(channel, { address }));
  expect(failure).toMatchObject(kind);
  expect(failure.message).toContain(String(code));
  expect(failure.message).not.toContain('secret');
});

test.each([
  [400, true],
  [422, true],
  [302, true],
  [401, false],
  [403, false],
  [404, false],
  [408, false],
  [429, false],
  [500, false],
  [503, false],
])('%d is permanent: %p', async (status, permanent) => {
  const { far, channel } = await start(answering(status, { location: '/', 'retry-after': '9' }, '<html>'));
  await using _ = far;
  expect(await failureOf(deliver(channel, { address }))).toMatchObject({
    permanent,
    dropAddress: false,
    retryAfterSeconds: permanent ? undefined : 9,
  });
});

test('a provider that never answers is left when the time is over', async () => {
  const { far, channel } = await start(() => {});
  await using _ = far;
  const failure = await failureOf(deliver(channel, { address }, AbortSignal.timeout(200)));
  expect(failure).toMatchObject({ permanent: false, message: 'The SMS provider did not answer in time.' });
});

describe('what became of a message', () => {
  test('is asked by its sid', async () => {
    const { far, channel } = await start(json(200, { status: 'delivered' }));
    await using _ = far;
    expect(await channel.confirm!('SM1', signal())).toEqual({ status: 'DELIVERED' });
    const [{ method, path, headers }] = far.received as [FarSide['received'][number]];
    expect([method, path]).toEqual(['GET', '/2010-04-01/Accounts/AC123/Messages/SM1.json']);
    expect(headers.authorization).toMatch(/^Basic /);
  });

  test.each(['accepted', 'scheduled', 'queued', 'sending', 'sent', 'unheard of'])(
    'is not known at %s',
    async (status) => {
      const { far, channel } = await start(json(200, { status }));
      await using _ = far;
      expect(await channel.confirm!('SM1', signal())).toBeUndefined();
    },
  );

  test.each([
    ['failed', 30_008, false],
    ['undelivered', 30_003, false],
    ['undelivered', 21_610, true],
    ['canceled', null, false],
  ])('is a loss at %s with %p', async (status, code, dropAddress) => {
    const { far, channel } = await start(json(200, { status, error_code: code, error_message: 'secret words' }));
    await using _ = far;
    const failure = await failureOf(channel.confirm!('SM1', signal()));
    expect(failure).toMatchObject({ permanent: true, dropAddress });
    expect(failure.message).not.toContain('secret');
    if (code !== null) expect(failure.message).toContain(String(code));
  });

  test('is still open when nobody answers the question', async () => {
    const { far, channel } = await start(answering(200));
    await far[Symbol.asyncDispose]();
    const question = channel.confirm!('SM1', signal());
    await expect(question).rejects.toThrow('did not answer a question');
    await expect(question).rejects.not.toBeInstanceOf(DeliveryFailure);
  });

  test.each([401, 404, 429, 500])('is still open when the question is answered with %d', async (status) => {
    const { far, channel } = await start(answering(status));
    await using _ = far;
    const question = channel.confirm!('SM1', signal());
    await expect(question).rejects.toThrow(`status ${status}`);
    await expect(question).rejects.not.toBeInstanceOf(DeliveryFailure);
  });
});
