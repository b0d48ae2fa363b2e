import type { Notification } from './notification.ts';

/** What an attempt carries to one address; everything in it is the same on every attempt. */
export interface Outbound {
  /** A UUID by which the far side can tell a repetition. */
  readonly id: string;
  readonly notification: Pick<
    Notification,
    | 'id'
    | 'tenantId'
    | 'recipientId'
    | 'senderId'
    | 'type'
    | 'priority'
    | 'title'
    | 'content'
    | 'link'
    | 'data'
    | 'createdAt'
  >;
  /** As the channel's `address` gave it. */
  readonly address: string;
  /** Of the address, newest first: those that are valid now. Empty unless the channel makes secrets. */
  readonly secrets: readonly string[];
}

/** What became of an attempt that did not fail. */
export type Outcome =
  /** It has reached its end. */
  | { readonly status: 'DELIVERED' }
  /** Somebody has taken it who carries it on; `confirm` is asked by the reference, if there is one. */
  | { readonly status: 'SENT'; readonly reference?: string };

export interface DeliveryFailureOptions {
  /** Trying again would be of no use: `deliver` is not called again. */
  permanent?: boolean;
  /** The address is of no use for anything: it is removed from the recipient's. */
  dropAddress?: boolean;
  /** The far side asked for this much time before the next attempt. */
  retryAfterSeconds?: number | undefined;
  cause?: unknown;
}

/** Why an attempt failed, in words for the sender: no secrets, no addresses of machines behind the server. */
export class DeliveryFailure extends Error {
  readonly permanent: boolean;
  readonly dropAddress: boolean;
  readonly retryAfterSeconds: number | undefined;

  constructor(message: string, options: DeliveryFailureOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DeliveryFailure';
    this.permanent = options.permanent ?? options.dropAddress ?? false;
    this.dropAddress = options.dropAddress ?? false;
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/**
 * A way out of the house. Deliveries are recorded, repeated and counted elsewhere: a channel makes one attempt when it is
 * told to. It is a file in `channels/` and a line in its index; see docs/extending.md.
 */
export interface Channel {
  /** The variable that has to be set before the channel can be used; `undefined` when nothing is missing. */
  readonly missingSetting: string | undefined;
  /** Whether each recipient has addresses of their own, or the tenant has some for all that is sent in it. */
  readonly audience: 'recipient' | 'tenant';
  /** Whether users may add addresses of their own, as having one proves that it is theirs. Else admins do. */
  readonly selfService?: boolean;
  /** Makes a secret for a new address, with which deliveries there are signed. */
  makeSecret?(): string;
  /** The address in its one spelling. @throws Error that says what is wrong with it, as in "must be an e-mail address". */
  address(text: string): string;
  /**
   * One attempt; the signal ends it when its time is over.
   *
   * @throws DeliveryFailure; any other error counts as one that may pass, and its message is kept from the sender.
   */
  deliver(outbound: Outbound, signal: AbortSignal): Promise<Outcome>;
  /** What became of something SENT; `undefined` while that is not known. @throws DeliveryFailure when it was lost. */
  confirm?(reference: string, signal: AbortSignal): Promise<Outcome | undefined>;
}
