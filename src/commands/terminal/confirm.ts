import { createInterface } from 'node:readline';
import { Interrupted } from '../run-command.ts';

/**
 * Asks on the terminal of standard input for a name, so that nobody does by accident what cannot be undone.
 *
 * @throws Interrupted after Ctrl-C; Error when another name is given, or the input ends.
 */
export async function confirmByName(question: string, name: string): Promise<void> {
  const editor = createInterface({ input: process.stdin, output: process.stderr });
  const { promise, resolve, reject } = Promise.withResolvers<string | undefined>();
  editor.on('SIGINT', () => reject(new Interrupted('SIGINT')));
  editor.on('close', () => resolve(undefined));
  editor.question(question, resolve);
  try {
    if ((await promise) !== name) throw new Error('that is not the name: nothing was done');
  } finally {
    editor.close();
  }
}
