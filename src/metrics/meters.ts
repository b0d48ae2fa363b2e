import { Buckets, SECONDS } from './buckets.ts';

/** Why a stream could not be continued from its cursor. */
export const resetReasons = ['FOREIGN_CURSOR', 'FUTURE_CURSOR', 'EXPIRED_CURSOR', 'INBOX_BEGAN_ANEW'] as const;

/** Counts the streams of inboxes. */
export class StreamMeter {
  readonly resets = new Map<(typeof resetReasons)[number], number>(resetReasons.map((reason) => [reason, 0]));
  resumes = 0;

  /** A stream goes on after a cursor. */
  resumed(): void {
    this.resumes += 1;
  }

  /** A reader was told to fetch anew. */
  reset(reason: (typeof resetReasons)[number]): void {
    this.resets.set(reason, (this.resets.get(reason) ?? 0) + 1);
  }
}

/** Counts statements that store sends. */
export class BatchMeter {
  readonly sizes = new Buckets([1, 2, 5, 10, 25, 50, 100, 250, 500, 1000]);
  inFlight = 0;
  /** Sends that wait for a statement: whoever keeps them says how many. */
  waiting: () => number = () => 0;

  /** A statement with so many sends, until the promise is settled. */
  async during<T>(size: number, statement: Promise<T>): Promise<T> {
    this.sizes.observe(size);
    this.inFlight += 1;
    try {
      return await statement;
    } finally {
      this.inFlight -= 1;
    }
  }
}

export const operationTypes = ['query', 'mutation', 'subscription'] as const;

type OperationType = (typeof operationTypes)[number];

export interface OperationTimes {
  readonly ok: Buckets;
  readonly error: Buckets;
}

const operationTimes = (): OperationTimes => ({ ok: new Buckets(SECONDS), error: new Buckets(SECONDS) });

/** Times GraphQL operations, by nothing that a client chooses. */
export class OperationMeter {
  readonly times: Readonly<Record<OperationType, OperationTimes>> = {
    query: operationTimes(),
    mutation: operationTimes(),
    subscription: operationTimes(),
  };
  refusals = 0;

  /** An operation of this type, which began at `startMs` of `performance.now()`, has been executed, or begun. */
  done(type: OperationType, startMs: number, result: { readonly errors?: unknown }): void {
    const { ok, error } = this.times[type];
    (result.errors ? error : ok).observe((performance.now() - startMs) / 1000);
  }

  /** One was not executed: it could not be read, was not valid, was beyond a limit, or needed a token. */
  refused(): void {
    this.refusals += 1;
  }
}
