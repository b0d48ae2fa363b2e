import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { keepTo } from '../bench/cores.ts';
import type { Answers, FromAttacker, ToAttacker } from './attacker.ts';
import type { Target } from './target.ts';

/** The hostile client, from its first attack on. */
export class AttackerProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  constructor(target: Target, { kinds, cores }: { kinds: readonly string[]; cores: string | undefined }) {
    this.#child = fork(join(import.meta.dirname, 'attacker.ts'), { detached: true });
    this.#exited = once(this.#child, 'exit');
    keepTo(this.#child.pid!, cores);
    this.#tell({ attack: target, kinds });
  }

  /** Ends it. @throws Error when it has ended by itself. */
  async stop(): Promise<Answers> {
    const answered = once(this.#child, 'message') as Promise<[FromAttacker]>;
    this.#tell({ stop: true });
    const answer = await Promise.race([answered, this.#exited.then(() => undefined)]);
    if (answer === undefined) throw new Error('the hostile client ended by itself');
    return answer[0].answers;
  }

  #tell(message: ToAttacker): void {
    this.#child.send(message, () => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await this.#exited;
  }
}
