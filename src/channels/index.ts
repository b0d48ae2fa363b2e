import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import type { Channel } from '../services/channel.ts';
import { createEmailChannel } from './email.ts';
import { createSmsChannel } from './sms.ts';
import { createWebPushChannel } from './web-push.ts';
import { createWebhookChannel } from './webhook.ts';

/** Makes a channel of the settings, whether or not they suffice. One that holds connections is disposable. */
export type ChannelFactory = (config: Config, logger: Logger) => Channel & Partial<AsyncDisposable>;

/** Every channel by its name on all doors: a line here registers one. */
export const channelFactories = {
  EMAIL: createEmailChannel,
  SMS: createSmsChannel,
  WEBHOOK: createWebhookChannel,
  WEB_PUSH: createWebPushChannel,
} satisfies Record<string, ChannelFactory>;

/** The names that a notification may have as its channel. IN_APP is the inbox, and nothing beside it. */
export const channelNames: readonly string[] = ['IN_APP', ...Object.keys(channelFactories)];

/** One of each registered channel. Disposing it closes what they hold; no delivery may be under way then. */
export class Channels implements AsyncDisposable {
  readonly #channels: ReadonlyMap<string, Channel>;
  readonly #resources: AsyncDisposableStack;

  constructor(channels: ReadonlyMap<string, Channel & Partial<AsyncDisposable>>) {
    this.#channels = channels;
    this.#resources = new AsyncDisposableStack();
    for (const channel of channels.values()) {
      this.#resources.defer(async () => channel[Symbol.asyncDispose]?.());
    }
  }

  /** Without IN_APP, which is no channel to deliver over. */
  get names(): readonly string[] {
    return [...this.#channels.keys()];
  }

  get(name: string): Channel | undefined {
    return this.#channels.get(name);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#resources.disposeAsync();
  }
}

export function createChannels(config: Config, logger: Logger): Channels {
  const factories: [string, ChannelFactory][] = Object.entries(channelFactories);
  return new Channels(new Map(factories.map(([name, create]) => [name, create(config, logger)])));
}
