import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { expect } from '@jest/globals';
import { seedDemo } from '../../src/services/demo.ts';
import { startApp, type TestApp, type TestAppOptions } from '../support/app.ts';
import { findProgram } from '../support/programs.ts';
import { blocksOf, type Block, read, root } from './markdown.ts';

const DOCUMENTED = 'localhost:15006';

/**
 * What a reader of a page has: a server with the demo users, and a folder with what `npm ci` installs and with the files
 * that the page has them save.
 */
export interface Workshop extends AsyncDisposable {
  readonly app: TestApp;
  readonly blocks: readonly Block[];
  readonly directory: string;
  /** Runs a program to its end, which has to be a good one and without complaints; answers with what it printed. */
  run(program: string, args: readonly string[], input?: string): Promise<string>;
  /** Runs one of the page's files with Node. */
  runFile(name: string): Promise<string>;
  /** The shell lines of this name, run as one script; answers with the lines that they printed. */
  runShell(name: string): Promise<string[]>;
  /** The same, and then what streams: the lines of that, until `enough` says so. */
  stream(name: string, enough: (lines: readonly string[]) => boolean): Promise<string[]>;
  /** What the page says is printed. */
  output(name: string): string;
}

/** Opens a workshop for a page of the documentation. */
export async function openWorkshop(page: string, options: TestAppOptions = {}): Promise<Workshop> {
  findProgram({ names: ['curl'], debian: 'curl', alpine: 'curl', homebrew: 'curl' });
  await using resources = new AsyncDisposableStack();
  const app = resources.use(await startApp(options));
  await seedDemo(app.app.context.users, app.app.context.services.notifications);
  const directory = await mkdtemp(join(tmpdir(), 'carillon-docs-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  await chmod(directory, 0o711);
  await symlink(join(root, 'node_modules'), join(directory, 'node_modules'));
  const blocks = blocksOf(read(page));
  const here = (code: string): string => code.replaceAll(DOCUMENTED, new URL(app.url).host);
  const files = blocks.filter(({ kind }) => kind === 'file').map(({ name, code }) => [name, here(code)] as const);
  const given = [
    ['package.json', '{ "type": "module" }'],
    ['schema.graphql', read('schema.graphql')],
  ] as const;
  for (const [name, content] of [...given, ...files]) {
    await mkdir(dirname(join(directory, name)), { recursive: true });
    await writeFile(join(directory, name), content);
  }

  const begin = (program: string, args: readonly string[], input: string): ChildProcess => {
    const PATH = `${dirname(process.execPath)}:${process.env['PATH']}`;
    const child = spawn(program, args, { cwd: directory, env: { PATH }, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.end(input);
    return child;
  };
  const code = (kind: string, name: string): string => {
    const found = blocks.filter((block) => block.kind === kind && block.name === name);
    if (found.length === 0) throw new Error(`${page} has no block ${kind}: ${name}`);
    return here(found.map((block) => block.code).join('\n'));
  };
  const run: Workshop['run'] = async (program, args, input = '') => {
    const child = begin(program, args, input);
    const [stdout, stderr] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'close')]);
    expect({ stderr, code: child.exitCode }).toEqual({ stderr: '', code: 0 });
    return stdout;
  };
  const owned = resources.move();
  return {
    app,
    blocks,
    directory,
    run,
    runFile: (name) => run(process.execPath, [name]),
    runShell: async (name) => (await run('sh', ['-eu'], code('run', name))).trim().split('\n'),
    async stream(name, enough) {
      // Replaced by the last command, the shell leaves nothing behind when it is stopped.
      const child = begin('sh', ['-eu'], `${code('run', name)}\nexec ${code('stream', name)}`);
      const closed = once(child, 'close');
      const lines: string[] = [];
      for await (const line of createInterface(child.stdout!)) {
        lines.push(line);
        if (enough(lines)) break;
      }
      child.kill();
      await closed;
      return lines;
    },
    output: (name) => code('output', name),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
