/** What a load process is told to do, and what it tells. Both are plain data: they cross a process boundary. */

export type Door = 'graphql' | 'rest';

interface AnyJob {
  readonly url: string;
  /** Signs the tokens of everybody that takes part. */
  readonly secret: string;
  readonly tenantId: string;
  /** Of this machine's addresses, the one that connections are from; the system takes one when absent. */
  readonly from?: string;
  /** Measured time, and how long the load has lasted when it begins. */
  readonly seconds: number;
  readonly warmupSeconds: number;
}

/** Users named `prefix` and a number from 0 on. */
export interface Users {
  readonly prefix: string;
  readonly count: number;
}

/** Sends to users at random, each lane as fast as it gets answers; with `online`, each user has a device that listens. */
export interface SendJob extends AnyJob {
  readonly kind: 'send';
  readonly door: Door;
  readonly lanes: number;
  readonly recipients: Users;
  readonly online: boolean;
}

/** Sends at a fixed rate, whatever is answered, to users who each have a device that listens and who read now and then. */
export interface SteadyJob extends AnyJob {
  readonly kind: 'steady';
  readonly users: Users;
  /** Sends a second. */
  readonly rate: number;
  /** Pages of inboxes that are read, a second. */
  readonly reads: number;
}

/** Sends to one user with many devices, each send when all devices have the one before. */
export interface FanoutJob extends AnyJob {
  readonly kind: 'fanout';
  readonly userId: string;
  readonly devices: number;
}

/** Connects users one after the other, a few at a time, and holds their connections for a look at the server. */
export interface IdleJob extends AnyJob {
  readonly kind: 'idle';
  readonly users: Users;
}

/** Asks the same question again and again. */
export interface AskJob extends AnyJob {
  readonly kind: 'ask';
  readonly lanes: number;
  readonly userId: string;
  readonly query: string;
  readonly variables?: Record<string, unknown>;
  /** A part of the only right answer. */
  readonly expected: string;
}

export type Job = SendJob | SteadyJob | FanoutJob | IdleJob | AskJob;

/** What should not have happened. */
export interface Faults {
  /** Acknowledged, but not stored or not delivered. */
  lost: number;
  /** Stored or delivered more than once. */
  duplicated: number;
  /** Delivered to somebody else. */
  misdirected: number;
  /** Requests that were not answered as they should. */
  refused: number;
}

export interface Outcome {
  /** Units of work in the measured time: sends, deliveries, answers or connections. */
  readonly units: number;
  readonly perSecond: number;
  /** From the request to its answer, or from the send to the delivery; to the last device, of a fan-out. */
  readonly p50Ms?: number | undefined;
  readonly p99Ms?: number | undefined;
  readonly faults: Faults;
}

/** Moments at which the load waits for its parent to look at the server. */
export type Moment = 'before' | 'begin' | 'end' | 'held';

export type FromLoad = { readonly moment: Moment } | { readonly outcome: Outcome } | { readonly failure: string };

export type ToLoad = { readonly job: Job } | { readonly go: true };

export const noFaults = (): Faults => ({ lost: 0, duplicated: 0, misdirected: 0, refused: 0 });
