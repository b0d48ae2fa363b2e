// The thread that hashes passwords. What takes a core for some hundredths of a second is to take what is left of it.
import { type Argon2Parameters, type ScryptOptions, argon2Sync, scryptSync } from 'node:crypto';
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';

export type Derivation =
  | { readonly kind: 'argon2id'; readonly parameters: Argon2Parameters }
  | {
      readonly kind: 'scrypt';
      readonly password: string;
      readonly salt: Uint8Array;
      readonly keyBytes: number;
      readonly options: ScryptOptions;
    };

export type Derived = { readonly key: Uint8Array } | { readonly error: unknown };

/** With everything busy it still gets a tenth of a core. Only on Linux is a priority that of a thread (setpriority(2)). */
const NICE = 10;

if (process.platform === 'linux') setPriority(0, NICE);

const keyOf = (derivation: Derivation): Uint8Array =>
  derivation.kind === 'argon2id'
    ? argon2Sync('argon2id', derivation.parameters)
    : scryptSync(derivation.password, derivation.salt, derivation.keyBytes, derivation.options);

parentPort?.on('message', (derivation: Derivation) => {
  let derived: Derived;
  try {
    derived = { key: keyOf(derivation) };
  } catch (error) {
    derived = { error };
  }
  parentPort?.postMessage(derived);
});
