import { Worker } from 'node:worker_threads';
import type { Derivation, Derived } from './password-thread.ts';

/** A thread with nothing to do ends after this. */
const IDLE_MS = 10_000;

/** Of its heap; what a derivation works on lies outside. */
const MOST_MIB = 16;

class Thread {
  readonly #worker: Worker;
  #pending: PromiseWithResolvers<Derived> | undefined;
  #idle: NodeJS.Timeout | undefined;
  readonly #onEnd: (thread: Thread) => void;

  constructor(onEnd: (thread: Thread) => void) {
    this.#onEnd = onEnd;
    this.#worker = new Worker(new URL('password-thread.ts', import.meta.url), {
      name: 'passwords',
      resourceLimits: { maxOldGenerationSizeMb: MOST_MIB },
    });
    this.#worker.on('message', (derived: Derived) => this.#settle(derived));
    this.#worker.on('error', (error) => this.#settle({ error }));
    this.#worker.on('exit', () => {
      this.#settle({ error: new Error('the thread that hashes passwords ended') });
      this.#onEnd(this);
    });
    this.#worker.unref();
  }

  /** One at a time. */
  async derive(derivation: Derivation): Promise<Uint8Array> {
    clearTimeout(this.#idle);
    this.#pending = Promise.withResolvers();
    this.#worker.ref();
    this.#worker.postMessage(derivation);
    const derived = await this.#pending.promise;
    if ('error' in derived) throw derived.error;
    return derived.key;
  }

  /** Ends it unless it gets something to do. What ends takes its time, and must get nothing to do any more. */
  rest(): void {
    this.#idle = setTimeout(() => {
      this.#onEnd(this);
      this.end();
    }, IDLE_MS).unref();
  }

  end(): void {
    void this.#worker.terminate();
  }

  #settle(derived: Derived): void {
    this.#worker.unref();
    this.#pending?.resolve(derived);
    this.#pending = undefined;
  }
}

const idle = new Set<Thread>();

/**
 * The key of a password, on a thread of its own with low priority. Node's own asynchronous functions take as much of a core
 * as the server, which on one core makes everybody wait for those who log in. As many threads as there are calls at a time.
 */
export async function derive(derivation: Derivation): Promise<Buffer> {
  const [free] = idle;
  const thread = free ?? new Thread((ended) => idle.delete(ended));
  idle.delete(thread);
  try {
    const key = await thread.derive(derivation);
    idle.add(thread);
    thread.rest();
    return Buffer.from(key);
  } catch (error) {
    thread.end();
    throw error;
  }
}
