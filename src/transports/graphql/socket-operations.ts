/** What identifies an operation in a message; other messages have neither of these types. */
interface Step {
  type: 'subscribe' | 'complete';
  id: string;
}

interface Running {
  /** Resolves when nothing more will be sent for it. */
  readonly ended: Promise<void>;
  /** Goes on until one of the two sides ends it: nothing to wait for. */
  isStream: boolean;
  /** The client has completed it, and it is still ending. */
  isCompleted: boolean;
  /** Messages about a new operation with the same id, to be served when this one has ended. */
  readonly later: string[];
}

const MAX_LATER = 100;

function stepIn(text: string): Step | undefined {
  try {
    const { type, id } = JSON.parse(text) as Record<string, unknown>;
    return (type === 'subscribe' || type === 'complete') && typeof id === 'string' ? { type, id } : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The operations under way on one socket. A client may use an id again as soon as it has completed the operation, but
 * graphql-ws knows operations by their id alone: the old one, still ending, would take the new one for itself, and leave
 * a stream behind that nobody ends. So the new one begins when the old one has ended.
 */
export class SocketOperations {
  readonly #handle: (text: string) => Promise<void>;
  readonly #running = new Map<string, Running>();

  /** `handle` serves one message, and resolves when the operation that it began has ended. It must not reject. */
  constructor(handle: (text: string) => Promise<void>) {
    this.#handle = handle;
  }

  /** How many are under way, those included that the client has completed and that are still ending. */
  get size(): number {
    return this.#running.size;
  }

  /** @throws RangeError when too much waits for one id. */
  receive(text: string): void {
    const step = stepIn(text);
    const running = step && this.#running.get(step.id);
    if (running?.isCompleted) {
      if (running.later.length === MAX_LATER) throw new RangeError('too many messages about one id');
      running.later.push(text);
    } else if (step?.type === 'subscribe' && !running) {
      void this.#begin(step.id, text);
    } else {
      if (running && step?.type === 'complete') running.isCompleted = true;
      void this.#handle(text);
    }
  }

  /** Says that an operation under way goes on until it is ended. */
  streams(id: string): void {
    const running = this.#running.get(id);
    if (running) running.isStream = true;
  }

  /** Resolves when every operation that ends by itself has been answered. */
  async answered(): Promise<void> {
    const finite = [...this.#running.values()].filter(({ isStream }) => !isStream);
    await Promise.all(finite.map(({ ended }) => ended));
  }

  async #begin(id: string, text: string): Promise<void> {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const running: Running = { ended, isStream: false, isCompleted: false, later: [] };
    this.#running.set(id, running);
    await this.#handle(text);
    this.#running.delete(id);
    resolve();
    for (const one of running.later) this.receive(one);
  }
}
