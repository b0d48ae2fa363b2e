import { spawn } from 'node:child_process';
import { once } from 'node:events';

const SCRIPT = `
  trap '' INT TERM HUP
  read -r line && exit 0
  cd "$1" || exit 0
  for file in *.pid; do test -f "$file" && kill -KILL $(head -n 1 "$file"); done
  file=database/postgres/data/postmaster.pid
  if test -f $file; then
    pid=$(head -n 1 $file)
    kill -QUIT $pid
    while kill -0 $pid; do sleep 0.1; done
  fi
  cd / && rm -rf "$1"`;

/**
 * Sees to it that nothing is left of `directory`, however this process ends: a shell waits for its input to close, then
 * kills the processes named in the `*.pid` files there and the PostgreSQL in `database`, and removes the directory.
 * Disposing the stack dismisses it.
 */
export async function startReaper(services: AsyncDisposableStack, directory: string): Promise<void> {
  const reaper = spawn('sh', ['-c', SCRIPT, 'reaper', directory], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  await once(reaper, 'spawn');
  services.defer(async () => {
    // A line of input tells it that there is nothing left to do.
    reaper.stdin.end('done\n');
    await once(reaper, 'exit');
  });
}
