import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';
import { Interrupted } from '../run-command.ts';

/**
 * Asks for a password, twice, on the terminal of standard input, which shows nothing of it. Whatever happens, the
 * terminal echoes again afterwards.
 *
 * @throws Interrupted after Ctrl-C; Error when the two differ, or the input ends.
 */
export async function askNewPassword(): Promise<string> {
  // The line editor writes what is typed to its output, which is nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const editor = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  const interrupted = Promise.withResolvers<never>();
  interrupted.promise.catch(() => {});
  editor.on('SIGINT', () => interrupted.reject(new Interrupted('SIGINT')));
  const lines = editor[Symbol.asyncIterator]();
  const ask = async (prompt: string): Promise<string> => {
    process.stderr.write(prompt);
    const line = await Promise.race([lines.next(), interrupted.promise]).finally(() => process.stderr.write('\n'));
    if (line.done) throw new Error('no password was given');
    return line.value;
  };
  try {
    const password = await ask('Password: ');
    if ((await ask('The same again: ')) !== password) throw new Error('the two passwords differ');
    return password;
  } finally {
    editor.close();
  }
}
