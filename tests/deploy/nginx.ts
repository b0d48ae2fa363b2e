import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempDisposableSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../../src/database/free-port.ts';
import { eventually } from '../support/eventually.ts';
import { findProgram } from '../support/programs.ts';
import { read } from './files.ts';
import { nginx } from './programs.ts';

export interface LogLine {
  method: string;
  path: string;
  status: number;
  upstream: string;
  upstream_status: string;
}

export interface Nginx extends AsyncDisposable {
  readonly url: string;
  /** What it has written to its access log and to its error log so far. */
  accessText(): string;
  errorText(): string;
  /** The lines of the access log, one for each request or connection that has ended. */
  access(): LogLine[];
}

/** `deploy/nginx.conf` as it is, but for its port and the addresses of its two servers. */
export function configurationFor(port: number, hosts: readonly [string, string]): string {
  const text = read('deploy/nginx.conf');
  const own = text.replace('listen 8080;', `listen 127.0.0.1:${port};`);
  const replaced = own.replaceAll(/server app-([12]):15006 /g, (_, nth) => `server ${hosts[Number(nth) - 1]} `);
  if (own === text || replaced.includes('app-')) throw new Error('deploy/nginx.conf is not what it was taken for');
  return replaced;
}

/** What `nginx -t` says of a configuration; empty when it has nothing against it. */
export function faultsOf(configuration: string): string {
  using directory = workingDirectory();
  const file = join(directory.path, 'nginx.conf');
  writeFileSync(file, configuration);
  // /dev/null as its output: what Node hands out as a pipe is a socket, which /dev/stdout cannot open.
  const { stderr } = spawnSync(
    findProgram(nginx),
    ['-t', '-q', '-e', 'stderr', '-p', `${directory.path}/`, '-c', file],
    {
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  return stderr;
}

/** The real nginx on a free port, in front of two servers, given as `HOST:PORT`. */
export async function startNginx(hosts: readonly [string, string]): Promise<Nginx> {
  const port = await freePort();
  await using resources = new AsyncDisposableStack();
  const directory = resources.use(workingDirectory());
  const [file, accessFile] = [join(directory.path, 'nginx.conf'), join(directory.path, 'access.log')];
  writeFileSync(file, configurationFor(port, hosts));
  // A file, for the same reason.
  const child = spawn(findProgram(nginx), ['-e', 'stderr', '-p', `${directory.path}/`, '-c', file], {
    stdio: ['ignore', openSync(accessFile, 'a'), 'pipe'],
  });
  const exited = once(child, 'close');
  const errors: string[] = [];
  child.stderr!.setEncoding('utf8').on('data', (text: string) => void errors.push(text));
  resources.defer(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  const url = `http://127.0.0.1:${port}`;
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(errors.join(''));
    // Any answer will do: whether there are servers behind it is another matter.
    const answer = await fetch(`${url}/health`);
    return answer.text().then(() => true);
  });
  const owned = resources.move();
  const accessText = (): string => readFileSync(accessFile, 'utf8');
  return {
    url,
    accessText,
    errorText: () => errors.join(''),
    access: () =>
      accessText()
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as LogLine),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Its workers are of another user when root starts it, who has to pass through. */
function workingDirectory() {
  const directory = mkdtempDisposableSync(join(process.getuid?.() === 0 ? '/tmp' : tmpdir(), 'carillon-nginx-'));
  chmodSync(directory.path, 0o711);
  return directory;
}
