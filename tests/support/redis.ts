import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { findProgram } from './programs.ts';
import { freePort } from '../../src/database/free-port.ts';

const PORT_ATTEMPTS = 5;

const redisServer = {
  names: ['redis-server', 'valkey-server'],
  debian: 'redis-server',
  alpine: 'redis',
  homebrew: 'redis',
};

export interface TestRedis extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
}

/**
 * A Redis of the caller's own on a free port (or on `port`), without persistence; `directory` takes its pid file.
 */
export async function startRedis(directory: string, port?: number): Promise<TestRedis> {
  const program = findProgram(redisServer);
  for (let attempt = 1; ; attempt++) {
    try {
      return await spawnRedis(program, directory, port ?? (await freePort()));
    } catch (error) {
      if (port !== undefined || attempt === PORT_ATTEMPTS) throw error;
    }
  }
}

async function spawnRedis(program: string, directory: string, port: number): Promise<TestRedis> {
  const pidFile = join(directory, `redis-${port}.pid`);
  const options = { port, bind: '127.0.0.1', dir: directory, pidfile: pidFile, save: '', appendonly: 'no' };
  // A session of its own, so that a Ctrl-C does not take it from tests that are still ending.
  const child = spawn(
    program,
    Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]),
    { detached: true, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  await once(child, 'spawn');
  const exited = once(child, 'exit');
  const lines: string[] = [];
  const output = createInterface(child.stdout);
  const ready = new Promise<void>((resolve, reject) => {
    output.on('line', (line) => {
      lines.push(line);
      if (line.includes('eady to accept connections')) resolve();
    });
    output.once('close', () => reject(new Error(`redis-server does not start:\n${lines.join('\n')}`)));
  });
  await ready;
  // Unread output would block the server in the end.
  output.close();
  child.stdout.resume();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    pid: child.pid!,
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL');
      await exited;
      await rm(pidFile, { force: true });
    },
  };
}
