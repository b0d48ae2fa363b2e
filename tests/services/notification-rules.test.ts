import { describe, expect, test } from '@jest/globals';
import { loadConfig } from '../../src/config.ts';
import { CarillonError } from '../../src/errors.ts';
import { type SendInput, createRules } from '../../src/services/notification-rules.ts';

const rules = createRules(loadConfig({}), ['IN_APP', 'EMAIL', 'SMS']);
const send = (input: Partial<Record<keyof SendInput, unknown>>) =>
  rules.send({ title: 'Title', content: 'Content', ...input } as SendInput);

const UUID = '0199d2f0-5f3c-7abc-8def-0123456789ab';
const nested = (depth: number): unknown => Array.from({ length: depth }).reduce((inner) => [inner], 0);

test('what is not said takes its default, and null means the same as nothing', () => {
  const defaults = {
    title: 'Title',
    content: 'Content',
    type: 'SYSTEM',
    priority: 'NORMAL',
    channel: 'IN_APP',
    channels: [],
    addresses: [],
    link: null,
    data: null,
    relatedType: null,
    relatedId: null,
    idempotencyKey: null,
    expiresAt: null,
    sendAt: null,
  };
  expect(send({})).toEqual(defaults);
  const nothing = { type: null, priority: null, channel: null, link: null, data: null, idempotencyKey: null };
  const never = { expiresAt: null, sendAt: null };
  expect(send({ ...nothing, ...never, relatedType: null, relatedId: null, recipientId: null })).toMatchObject(defaults);
});

test.each<[string[], Partial<SendInput>]>([
  [[], { channels: ['IN_APP'] }],
  [['EMAIL'], { channel: 'EMAIL' }],
  [['EMAIL', 'SMS'], { channel: 'EMAIL', channels: ['SMS', 'IN_APP', 'EMAIL'] }],
  [['SMS', 'EMAIL'], { channels: ['SMS', 'EMAIL', 'SMS'] }],
])('it goes out by %j when it is sent with %j', (channels, input) => {
  expect(send(input)).toMatchObject({ channels, channel: channels[0] ?? 'IN_APP' });
});

test.each<[string, Partial<Record<keyof SendInput, unknown>>]>([
  ['a title of 200 characters', { title: 'x'.repeat(200) }],
  ['a title of 200 characters that are two code units each', { title: '\u{1F514}'.repeat(200) }],
  ['a content of 10,000 characters', { content: 'x'.repeat(10_000) }],
  ['an https link', { link: 'https://example.com/a?b=c#d' }],
  ['a link in capitals', { link: 'HTTP://EXAMPLE.COM' }],
  ['a path', { link: '/inbox/4711' }],
  ['a single slash', { link: '/' }],
  ['a link of 2,048 characters', { link: `/${'x'.repeat(2047)}` }],
  ['data of exactly 16 KiB', { data: 'x'.repeat(16_384 - 2) }],
  ['data that is nested 64 deep', { data: nested(64) }],
  ['data that is a bare value', { data: false }],
  ['an idempotency key of 128 characters', { idempotencyKey: 'k'.repeat(128) }],
  ['a recipient that is no UUID', { recipientId: 'user 1' }],
])('%s is allowed', (_what, input) => {
  expect(send(input)).toMatchObject(input);
});

test.each<[string, string, unknown]>([
  ['an empty title', 'title', ''],
  ['a title of 201 characters', 'title', 'x'.repeat(201)],
  ['a title of 201 characters that are two code units each', 'title', '\u{1F514}'.repeat(201)],
  ['a title that is no text', 'title', 1],
  ['a title with NUL', 'title', 'a\0b'],
  ['a title with a lone surrogate', 'title', 'a\uD800'],
  ['an empty content', 'content', ''],
  ['a content of 10,001 characters', 'content', 'x'.repeat(10_001)],
  ['a content with NUL', 'content', '\0'],
  ['an unknown type', 'type', 'NEWS'],
  ['a type in lower case', 'type', 'system'],
  ['an unknown priority', 'priority', 'HIGHEST'],
  ['an unknown channel', 'channel', 'PIGEON'],
  ['an unknown channel among others', 'channels', ['EMAIL', 'PIGEON']],
  ['an empty address', 'addresses', [{ channel: 'EMAIL', address: '' }]],
  ['51 addresses', 'addresses', Array.from({ length: 51 }, () => ({ channel: 'SMS', address: '+4912345' }))],
  ['a script for a link', 'link', 'javascript:alert(1)'],
  ['a script behind a tab', 'link', 'java\tscript:alert(1)'],
  ['a data link', 'link', 'data:text/html,x'],
  ['a link of another host by two slashes', 'link', '//evil.example'],
  ['a link of another host by slash and backslash', 'link', '/\\evil.example'],
  ['a link of another host behind a tab', 'link', '/\t/evil.example'],
  ['a relative link', 'link', 'inbox'],
  ['https without a host', 'link', 'https://'],
  ['a link of 2,049 characters', 'link', `/${'x'.repeat(2048)}`],
  ['data one byte over 16 KiB', 'data', 'x'.repeat(16_384 - 1)],
  ['data over 16 KiB by the bytes of its characters', 'data', 'ü'.repeat(8200)],
  ['data that is nested 65 deep', 'data', nested(65)],
  ['data that is nested deeper than any stack', 'data', nested(200_000)],
  ['data with NUL in a key', 'data', { a: { 'b\0': 1 } }],
  ['data with a lone surrogate', 'data', ['\uDC00']],
  ['data with a number beyond double precision', 'data', [Number.POSITIVE_INFINITY]],
  ['an empty recipient', 'recipientId', ''],
  ['a recipient of 129 characters', 'recipientId', 'u'.repeat(129)],
  ['an empty idempotency key', 'idempotencyKey', ''],
  ['an idempotency key of 129 characters', 'idempotencyKey', 'k'.repeat(129)],
  ['a related id with NUL', 'relatedId', '\0'],
])('%s is refused as bad input of its field', (_what, field, value) => {
  let refusal: unknown;
  try {
    send({ [field]: value });
  } catch (error) {
    refusal = error;
  }
  expect(refusal).toBeInstanceOf(CarillonError);
  expect(refusal).toMatchObject({ code: 'BAD_USER_INPUT', field, message: expect.stringMatching(/^[a-z].*\.$/i) });
  expect((refusal as Error).message.length).toBeLessThan(200);
});

describe('ids', () => {
  test('of a batch are taken once each, in lower case, without those that nothing can have', () => {
    expect(rules.ids([UUID.toUpperCase(), 'nonsense', UUID, '', '\0'])).toEqual([UUID]);
  });

  test('that are none, or more than 1,000, are refused', () => {
    for (const ids of [[], Array.from({ length: 1001 }, () => UUID)]) {
      expect(() => rules.ids(ids)).toThrow(expect.objectContaining({ code: 'BAD_USER_INPUT', field: 'ids' }));
    }
    expect(rules.ids(Array.from({ length: 1000 }, () => UUID))).toEqual([UUID]);
  });

  test('have one spelling; what cannot be one is nobody’s', () => {
    expect(rules.id(UUID.toUpperCase())).toBe(UUID);
    for (const id of ['', '1', `${UUID} `, `{${UUID}}`, UUID.replaceAll('-', '')]) expect(rules.id(id)).toBeUndefined();
  });
});
