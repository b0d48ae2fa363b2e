// Puts servers under a mixed load for a long time, and shows that nothing in them grows.
import { writeFile } from 'node:fs/promises';
import { checkWritable, number, readArguments, whole } from '../src/commands/arguments.ts';
import { runCommand, stopOnSignals } from '../src/commands/run-command.ts';
import { type Standing, createProgressBar } from '../src/commands/terminal/progress-bar.ts';
import { paintFor } from '../src/commands/terminal/style.ts';
import { printReport } from './print.ts';
import { type Progress, soak } from './run.ts';

const USAGE = `Usage: npm run soak -- [--minutes 60] [--rate 50] [--clients 60] [--servers 2] [--seed S] [--every 10]
                       [--warm-up 0.3] [--bound 2] [--noise 2] [--descriptors 20]
                       [--preload FILE] [--json FILE]

Starts a PostgreSQL, a Redis and servers, and lets people do everything there: send, read, delete, recall, list, log in,
type, come and go at every door. Meanwhile it looks at the servers, and in the end says whether anything in them grew.

  --minutes      how long
  --rate         acts a second
  --clients      devices that come and go; beside them one of each inbox stays
  --servers      server processes; with one there is no Redis
  --seed         decides what is done; a random one by default
  --every        seconds from one look at the servers to the next; every sixth time they collect their garbage first
  --warm-up      share of the time that is not judged
  --bound        per cent of the heap that it may grow by in an hour
  --noise        MiB that it may grow by in the whole time, whatever the bound says: a short run needs more
  --descriptors  so many open descriptors more, in the whole time, are no leak either
  --preload      a module that each server loads first, such as one that leaks
  --json         also writes everything that was measured to a file

On a terminal it shows how far it is. Ctrl-C ends the load early, and the verdict is still given; a second one ends it at
once.

Exits with 0; with 1 when the heap or the open descriptors of a server grew surely and by more than they may, anything was
lost, duplicated, reordered or counted wrongly, an answer or a line of a log was not as it should, or the run failed; with
2 for wrong arguments.`;

const A_WEEK_MINUTES = 10_080;
const LEAST = 0.001;

function standingOf({ phase, elapsedMs, acts, deliveries, heapBytes }: Progress, durationMs: number): Standing {
  const heap = heapBytes === 0 ? '' : `, heap ${(heapBytes / 2 ** 20).toFixed(1)} MiB`;
  return {
    text: `${phase}, ${acts} acts, ${deliveries} deliveries${heap}`,
    share: phase === 'starting' ? 0 : phase === 'soaking' ? elapsedMs / durationMs : 1,
  };
}

async function main(): Promise<number> {
  const { values } = readArguments({
    minutes: { type: 'string', default: '60' },
    rate: { type: 'string', default: '50' },
    clients: { type: 'string', default: '60' },
    servers: { type: 'string', default: '2' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9) + 1) },
    every: { type: 'string', default: '10' },
    'warm-up': { type: 'string', default: '0.3' },
    bound: { type: 'string', default: '2' },
    noise: { type: 'string', default: '2' },
    descriptors: { type: 'string', default: '20' },
    preload: { type: 'string' },
    json: { type: 'string' },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const durationMs = number('minutes', values.minutes, LEAST, A_WEEK_MINUTES) * 60_000;
  const options = {
    durationMs,
    rate: number('rate', values.rate, LEAST, 100_000),
    clients: whole('clients', values.clients, 10_000),
    servers: whole('servers', values.servers, 16),
    seed: whole('seed', values.seed, Number.MAX_SAFE_INTEGER),
    everyMs: number('every', values.every, 0.1, 3600) * 1000,
    warmUp: number('warm-up', values['warm-up'], 0, 0.9),
    heapShare: number('bound', values.bound, 0, 1_000_000) / 100,
    heapNoiseBytes: number('noise', values.noise, 0, 1_000_000) * 2 ** 20,
    descriptorNoise: number('descriptors', values.descriptors, 0, 1_000_000),
    preload: values.preload,
    signal: stopOnSignals(),
  };
  if (values.json !== undefined) await checkWritable('json', values.json);
  const bar = createProgressBar();
  const report = await soak({
    ...options,
    onProgress: (progress) => bar.show(standingOf(progress, durationMs)),
  }).finally(() => bar[Symbol.dispose]());
  console.log(printReport(report, paintFor(process.stdout)));
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(report, undefined, 2)}\n`);
  return report.exitCode;
}

runCommand(USAGE, main);
