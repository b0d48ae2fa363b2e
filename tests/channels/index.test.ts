import { expect, test } from '@jest/globals';
import { channelFactories, channelNames, Channels, createChannels } from '../../src/channels/index.ts';
import { loadConfig } from '../../src/config.ts';
import type { Channel } from '../../src/services/channel.ts';
import { silent } from './support.ts';

test('channels are named as in GraphQL, and IN_APP is a name that is no channel', async () => {
  await using channels = createChannels(loadConfig({}), silent);
  expect(channelNames).toEqual(['IN_APP', 'EMAIL', 'SMS', 'WEBHOOK', 'WEB_PUSH']);
  expect(channels.names).toEqual(Object.keys(channelFactories));
  expect(channels.get('IN_APP')).toBeUndefined();
  expect(channels.get('toString')).toBeUndefined();
});

test('without settings only webhooks can be used, and the others say what they need', async () => {
  await using channels = createChannels(loadConfig({}), silent);
  expect(Object.fromEntries(channels.names.map((name) => [name, channels.get(name)!.missingSetting]))).toEqual({
    EMAIL: 'SMTP_URL',
    SMS: 'SMS_ACCOUNT_SID',
    WEBHOOK: undefined,
    WEB_PUSH: 'VAPID_PUBLIC_KEY',
  });
});

test('those that hold something are disposed of together', async () => {
  const disposed: string[] = [];
  const channel = (name: string): Channel & AsyncDisposable => ({
    missingSetting: undefined,
    audience: 'tenant',
    address: (text) => text,
    deliver: async () => ({ status: 'DELIVERED' }),
    [Symbol.asyncDispose]: async () => void disposed.push(name),
  });
  const { [Symbol.asyncDispose]: _none, ...light } = channel('LIGHT');
  const channels = new Channels(
    new Map<string, Channel>([
      ['A', channel('A')],
      ['LIGHT', light],
      ['B', channel('B')],
    ]),
  );
  await channels[Symbol.asyncDispose]();
  expect(disposed).toEqual(['B', 'A']);
});
