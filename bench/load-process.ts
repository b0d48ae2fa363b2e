import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { keepTo } from './cores.ts';
import { NODE_FLAGS } from './node-flags.ts';
import type { FromLoad, Job, Moment, Outcome, ToLoad } from './load/jobs.ts';

/** The load, in a process of its own. */
export class LoadProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(cores: string | undefined) {
    this.#child = fork(join(import.meta.dirname, 'load', 'main.ts'), { detached: true, execArgv: NODE_FLAGS });
    this.#exited = once(this.#child, 'exit');
    keepTo(this.#child.pid!, cores);
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /**
   * One job at a time. The load stands still until `onMoment` has resolved. @throws Error that says why a job failed; the
   * process takes no further ones then.
   */
  async run(job: Job, onMoment: (moment: Moment) => Promise<void>): Promise<Outcome> {
    const { promise, resolve, reject } = Promise.withResolvers<Outcome>();
    const onMessage = (message: FromLoad): void => {
      if ('outcome' in message) resolve(message.outcome);
      else if ('failure' in message) reject(new Error(`the load failed: ${message.failure}`));
      else onMoment(message.moment).then(() => this.#tell({ go: true }), reject);
    };
    const onExit = (): void => reject(new Error('the load ended before its job was done'));
    this.#child.on('message', onMessage).on('exit', onExit);
    this.#tell({ job });
    try {
      return await promise;
    } finally {
      this.#child.off('message', onMessage).off('exit', onExit);
    }
  }

  #tell(message: ToLoad): void {
    this.#child.send(message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#exited;
  }
}
