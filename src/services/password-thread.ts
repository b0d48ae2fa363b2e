// The thread that hashes passwords. What takes a core for some tenths of a second is to take what is left of it.
import { type ScryptOptions, scryptSync } from 'node:crypto';
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';

export interface Derivation {
  readonly password: string;
  readonly salt: Uint8Array;
  readonly keyBytes: number;
  readonly options: ScryptOptions;
}

export type Derived = { readonly key: Uint8Array } | { readonly error: unknown };

/** With everything busy it still gets a tenth of a core. Only on Linux is a priority that of a thread (setpriority(2)). */
const NICE = 10;

if (process.platform === 'linux') setPriority(0, NICE);

parentPort?.on('message', ({ password, salt, keyBytes, options }: Derivation) => {
  let derived: Derived;
  try {
    derived = { key: scryptSync(password, salt, keyBytes, options) };
  } catch (error) {
    derived = { error };
  }
  parentPort?.postMessage(derived);
});
