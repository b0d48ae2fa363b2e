import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { WebSocket } from 'ws';
import { settingsTable } from '../src/config.ts';
import { findProgram } from './support/programs.ts';
import { temporaryDirectory } from './support/temporary.ts';

const root = join(import.meta.dirname, '..');
const DOCUMENTED_URL = 'http://localhost:15006';

interface Block {
  language: string;
  code: string;
}

const read = (file: string): string => readFileSync(join(root, file), 'utf8');

const blocksOf = (markdown: string): Block[] =>
  [...markdown.matchAll(/^```(\w+)\n(.*?)^```$/gms)].map(([, language = '', code = '']) => ({ language, code }));

const settingsOf = (markdown: string): string | undefined =>
  /<!-- settings -->\n(.*?)\n<!-- \/settings -->/s.exec(markdown)?.[1];

const english = read('README.md');
const blocks = blocksOf(english);

/** The one block, or all, that a reader copies for this purpose. */
const codeWith = (language: string, words: string): string =>
  blocks
    .filter((block) => block.language === language && block.code.includes(words))
    .map(({ code }) => code)
    .join('\n');

describe('README.md', () => {
  let server: ChildProcess;
  let directory: string;
  let url: string;

  /** Runs a program as a reader would, with the text as its input and the server's own address in it. */
  async function run(program: string, args: string[], input: string): Promise<string> {
    const child = spawn(program, args, { cwd: root, stdio: ['pipe', 'pipe', 'pipe'] });
    child.stdin.end(input.replaceAll(DOCUMENTED_URL, url));
    const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
    expect({ stderr, code: child.exitCode }).toEqual({ stderr: '', code: 0 });
    return stdout;
  }

  beforeAll(async () => {
    directory = await temporaryDirectory('carillon-readme-');
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    server = spawn(process.execPath, [join(root, 'src/main.ts')], {
      cwd: directory,
      env: { PATH, NODE_COMPILE_CACHE, PORT: '0', DATA_DIR: join(directory, 'data'), LOG_FORMAT: 'json' },
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const lines: string[] = [];
    for await (const line of createInterface(server.stdout!)) {
      lines.push(line);
      url = /listening on (http:\/\/[^"]+)/.exec(line)?.[1] ?? '';
      if (url !== '') break;
    }
    if (url === '') throw new Error(`The server does not start:\n${lines.join('\n')}`);
    server.stdout!.resume();
  });

  afterAll(async () => {
    if (server.exitCode === null) {
      const exited = once(server, 'exit');
      server.kill('SIGTERM');
      await exited;
    }
    await rm(directory, { recursive: true, force: true });
    expect(server.exitCode).toBe(0);
  });

  test('has the settings that config.ts has', () => {
    expect(settingsOf(english)).toBe(settingsTable());
  });

  test('has shell lines for the first minute that send, list, count and mark as read', async () => {
    findProgram({ names: ['curl'], debian: 'curl', alpine: 'curl', homebrew: 'curl' });
    const answers = (await run('sh', ['-eu'], codeWith('sh', DOCUMENTED_URL)))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown);
    const lunch = { user_id: 'uma', sender_id: 'sam', type: 'message', title: 'Lunch' };
    expect(answers).toEqual([
      expect.objectContaining({ ...lunch, is_read: false }),
      { items: [expect.objectContaining({ ...lunch, is_read: false })], total: 4, page: 1, page_size: 1 },
      { count: 4 },
      expect.objectContaining({ ...lunch, is_read: true, status: 'read' }),
      {
        data: {
          unreadCount: 3,
          notifications: {
            nodes: [
              expect.objectContaining({ title: 'Lunch', isRead: true }),
              expect.objectContaining({ isRead: false }),
            ],
          },
        },
      },
    ]);
  });

  test('has an address and a conversation for wscat', async () => {
    const body = JSON.stringify({ username: 'uma', password: 'carillon-demo' });
    const headers = { 'content-type': 'application/json' };
    const login = await fetch(`${url}/api/v1/auth/login`, { method: 'POST', headers, body });
    const { access_token: token } = (await login.json()) as { access_token: string };
    const address = /"(ws:[^"]+)"/.exec(codeWith('sh', 'npx wscat'))?.[1] ?? '';
    const documented = DOCUMENTED_URL.replace('http', 'ws');
    expect(address).toContain(documented);

    const socket = new WebSocket(address.replace(documented, url.replace('http', 'ws')).replace('$TOKEN', () => token));
    // Listening from the start: the welcome may come in the packet that opens the socket.
    const received: string[] = [];
    let wake = (): void => {};
    socket.on('message', (data: Buffer) => {
      received.push(data.toString());
      wake();
    });
    const next = async (): Promise<object> => {
      while (received.length === 0) {
        const { promise, resolve } = Promise.withResolvers<void>();
        wake = resolve;
        await promise;
      }
      return JSON.parse(received.shift()!) as object;
    };

    const conversation = codeWith('text', '> {').trim().split('\n');
    expect(conversation.length).toBeGreaterThan(2);
    for (const line of conversation) {
      const message = JSON.parse(line.slice(2)) as { type: string };
      if (line.startsWith('>')) {
        socket.send(JSON.stringify(message));
      } else {
        const answer = await next();
        expect(answer).toMatchObject({ type: message.type });
        expect(Object.keys(answer)).toEqual(Object.keys(message));
      }
    }
    socket.close();
    await once(socket, 'close');
  });

  test('has a script for Apollo Client that resumes after a lost connection and prints what it says', async () => {
    const script = codeWith('js', '@apollo/client');
    const printed = await run(process.execPath, ['--input-type=module', '-'], script);
    expect(printed).toBe(codeWith('text', 'ding:'));
  });
});

describe('README.zh-CN.md', () => {
  const chinese = read('README.zh-CN.md');

  test('has the code blocks of README.md', () => {
    expect(blocksOf(chinese)).toEqual(blocks);
  });

  test('has the settings of README.md with their defaults', () => {
    const columns = (markdown: string) =>
      settingsOf(markdown)
        ?.split('\n')
        .filter((row) => row.startsWith('| `'))
        .map((row) => row.split('|').slice(1, 3));
    expect(columns(chinese)).toEqual(columns(english));
  });
});

describe.each(['README.md', 'README.zh-CN.md', 'ARCHITECTURE.md', 'CHANGELOG.md'])('%s', (file) => {
  test('names only files that exist', () => {
    const markdown = read(file);
    const linked = [...markdown.matchAll(/\]\((?!https?:|#)([^)#]+)/g)].map(([, path = '']) => path);
    const named = [...markdown.matchAll(/`((?:src|tests|scripts)\/[\w./-]*)`/g)].map(([, path = '']) => path);
    expect([...linked, ...named].filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });
});
