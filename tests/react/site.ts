import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { promisify } from 'node:util';
import type { Build } from './build.ts';

const run = promisify(execFile);
export const FIXTURE = join(import.meta.dirname, 'fixture');

/** Builds a page or a library with Vite. @throws with what Vite said, when it fails */
export async function buildSite(options: Build): Promise<void> {
  // Vite goes by this where it says which React is meant; test runs have a value of their own.
  const env = { ...process.env, NODE_ENV: options.isDevelopment ? 'development' : 'production' };
  await run(process.execPath, [join(import.meta.dirname, 'build.ts'), JSON.stringify(options)], { env });
}

export interface Site extends AsyncDisposable {
  readonly origin: string;
}

/** As strict as a page can be that calls another server: no inline script or style passes. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src *; base-uri 'none'";

const TYPES: Record<string, string> = { '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css' };

/** Serves a folder on a free port, and further texts by their path. */
export async function serveSite(directory: string, texts: Record<string, () => string> = {}): Promise<Site> {
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    const answer = (body: string | Buffer, type: string): void => {
      response
        .writeHead(200, { 'content-type': `${type}; charset=utf-8`, 'content-security-policy': POLICY })
        .end(body);
    };
    const text = texts[pathname];
    if (text) return answer(text(), 'text/plain');
    const file = join(directory, normalize(pathname === '/' ? '/index.html' : pathname));
    readFile(file).then(
      (body) => answer(body, TYPES[extname(file)] ?? 'application/octet-stream'),
      () => response.writeHead(404).end(),
    );
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}
