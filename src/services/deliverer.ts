import type { JobHelpers, TaskList } from 'graphile-worker';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { asEveryTenant } from '../scope.ts';
import { type ActiveSpan, inSpan } from '../tracing/spans.ts';
import type { Tracing } from '../tracing/tracing.ts';
import { type Channel, DeliveryFailure } from './channel.ts';
import type { Attempt, DeliveryLog } from './delivery-log.ts';
import type { Hub } from './hub.ts';
import type { InboxDoorbell } from './inbox-touch.ts';

/** The channels of this server, by name. */
export interface ChannelRegistry {
  get(name: string): Channel | undefined;
}

export interface DelivererOptions {
  config: Pick<Config, 'deliveryAttempts' | 'deliveryTimeout' | 'deliveryRetryBase' | 'deliveryRetryMax'>;
  channels: ChannelRegistry;
  log: DeliveryLog;
  hub: Hub;
  logger: Logger;
  tracing: Tracing;
  /** Told of each attempt, and of what is DELIVERED or FAILED after it was SENT. */
  onOutcome: (channel: string, outcome: 'sent' | 'delivered' | 'retried' | 'failed') => void;
}

/** What recording the outcome of an attempt may take on top of the attempt. */
const RECORDING_MS = 10_000;

/** When the far side of something SENT is asked what became of it, each after the one before. */
const QUESTIONS_MS = [10_000, 60_000, 300_000, 1_800_000, 7_200_000, 28_800_000, 86_400_000];

/** How long a job on the queue may take. */
export const leaseOf = ({ deliveryTimeout }: Pick<Config, 'deliveryTimeout'>): number => deliveryTimeout + RECORDING_MS;

/**
 * How long to wait after the `nth` attempt failed: doubling from the base up to the most, of which a random half is taken
 * off, so that what failed together does not come back together.
 */
export function retryDelay(
  nth: number,
  { deliveryRetryBase, deliveryRetryMax }: Pick<Config, 'deliveryRetryBase' | 'deliveryRetryMax'>,
): number {
  const most = Math.min(deliveryRetryBase * 2 ** Math.min(nth - 1, 50), deliveryRetryMax);
  return most / 2 + (Math.random() * most) / 2;
}

/** Makes the attempts: one for each job, on whichever instance takes it. */
export class Deliverer {
  readonly #options: DelivererOptions;

  constructor(options: DelivererOptions) {
    this.#options = options;
  }

  /** What the queue runs. Jobs say which delivery, and nothing of whose it is. */
  get tasks(): TaskList {
    return {
      deliver: (payload, helpers) => asEveryTenant(() => this.#deliver((payload as { id: string }).id, helpers)),
      confirm: (payload, helpers) => {
        const { id, nth } = payload as { id: string; nth: number };
        return asEveryTenant(() => this.#confirm(id, nth, helpers));
      },
    };
  }

  async #deliver(id: string, { abortSignal }: JobHelpers): Promise<void> {
    const { config, log, tracing } = this.#options;
    const attempt = await log.begin(id, leaseOf(config));
    if (!attempt) return;
    const attributes = {
      'messaging.message.id': attempt.outbound.notification.id,
      'carillon.delivery.id': id,
      'carillon.delivery.channel': attempt.channel,
      'carillon.delivery.attempt': attempt.nth,
    };
    const span = tracing.begin(`deliver ${attempt.channel}`, { kind: 'client', attributes });
    await inSpan(span, () => this.#attempt(id, attempt, abortSignal, span));
  }

  async #attempt(id: string, attempt: Attempt, abortSignal: AbortSignal, span: ActiveSpan | undefined): Promise<void> {
    const { config, channels, log } = this.#options;
    const { outbound, nth } = attempt;
    const timeout = AbortSignal.timeout(config.deliveryTimeout);
    try {
      const channel = this.#channelOf(attempt, channels);
      const signal = AbortSignal.any([timeout, abortSignal]);
      const outcome = await untilAborted(channel.deliver(outbound, signal), signal);
      const isAsked = outcome.status === 'SENT' && outcome.reference !== undefined && channel.confirm !== undefined;
      this.#tell(await log.arrived(id, outcome, isAsked ? QUESTIONS_MS[0] : undefined));
      this.#options.onOutcome(attempt.channel, outcome.status === 'SENT' ? 'sent' : 'delivered');
    } catch (error) {
      const failure = this.#failureOf(error, id, timeout, abortSignal);
      span?.fail(timeout.aborted ? 'timeout' : failure.name);
      if (failure.dropAddress && attempt.contactId !== null) await log.dropContact(attempt.contactId);
      if (failure.permanent || nth >= config.deliveryAttempts) {
        this.#tell(await log.failed(id, failure.message));
        this.#options.onOutcome(attempt.channel, 'failed');
      } else {
        this.#tell(await log.retry(id, nth, failure.message, this.#delayOf(failure, nth, abortSignal)));
        this.#options.onOutcome(attempt.channel, 'retried');
      }
    }
  }

  #channelOf({ channel: name, contactIsGone, nth }: Attempt, channels: ChannelRegistry): Channel {
    if (contactIsGone) throw new DeliveryFailure('The address was removed.', { permanent: true });
    // Whoever took the attempts before it was killed each time.
    if (nth > this.#options.config.deliveryAttempts) {
      throw new DeliveryFailure('The server stopped amid the last attempt.', { permanent: true });
    }
    const channel = channels.get(name);
    if (!channel || channel.missingSetting !== undefined) {
      throw new DeliveryFailure(`${name} is not configured on this server.`);
    }
    return channel;
  }

  #failureOf(error: unknown, id: string, timeout: AbortSignal, stop: AbortSignal): DeliveryFailure {
    if (stop.aborted) return new DeliveryFailure('The server is shutting down.');
    if (timeout.aborted) {
      return new DeliveryFailure(`There was no answer within ${this.#options.config.deliveryTimeout / 1000} s.`);
    }
    if (error instanceof DeliveryFailure) return error;
    this.#options.logger.warn({ err: error, delivery: id }, 'an attempt to deliver failed');
    return new DeliveryFailure('The attempt failed.', { cause: error });
  }

  #delayOf({ retryAfterSeconds }: DeliveryFailure, nth: number, stop: AbortSignal): number {
    if (stop.aborted) return 0;
    const { config } = this.#options;
    // A channel lets a far side ask for a day at most.
    return Math.max(retryDelay(nth, config), (retryAfterSeconds ?? 0) * 1000);
  }

  async #confirm(id: string, nth: number, { abortSignal }: JobHelpers): Promise<void> {
    const { config, channels, log } = this.#options;
    const question = await log.question(id);
    const channel = question && channels.get(question.channel);
    if (!question || !channel?.confirm) return;
    const signal = AbortSignal.any([AbortSignal.timeout(config.deliveryTimeout), abortSignal]);
    try {
      const outcome = await channel.confirm(question.reference, signal);
      if (outcome?.status === 'DELIVERED') {
        this.#tell(await log.arrived(id, outcome));
        this.#options.onOutcome(question.channel, 'delivered');
        return;
      }
    } catch (error) {
      if (error instanceof DeliveryFailure && error.permanent) {
        this.#tell(await log.failed(id, error.message));
        this.#options.onOutcome(question.channel, 'failed');
        return;
      }
      this.#options.logger.debug({ err: error, delivery: id }, 'it could not be asked what became of a delivery');
    }
    await log.askAgain(id, nth + 1, QUESTIONS_MS[nth]);
  }

  #tell(told: InboxDoorbell | undefined): void {
    if (told) this.#options.hub.publish(told.address, told.event);
  }
}

/** The work, or a rejection as soon as the signal ends it: a channel that does not listen keeps nobody waiting. */
function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
  return Promise.race([work, promise]);
}
