// Breaks everything around two servers for some minutes, and shows that no device lost anything by it.
import { number, readArguments, someOf, whole } from '../src/commands/arguments.ts';
import { runCommand, stopOnSignals } from '../src/commands/run-command.ts';
import { type Standing, createProgressBar } from '../src/commands/terminal/progress-bar.ts';
import { paintFor } from '../src/commands/terminal/style.ts';
import { type FaultName, faults } from './faults.ts';
import { printReport } from './report.ts';
import { type Progress, torture } from './run.ts';

const USAGE = `Usage: npm run torture -- [--minutes 10] [--seed S] [--clients 200] [--rate 60] [--every 3]
                          [--only 'fault, fault'] [--logs] [--json]

Starts a PostgreSQL, a Redis and two servers, connects clients at every door, sends and changes notifications, and
meanwhile kills, freezes, restarts and disconnects what it has started. In the end every device must have exactly the
changes of its inbox.

  --minutes  how long faults are made
  --seed     decides the order, kinds and pauses of faults; a random one by default
  --clients  devices, spread over inboxes and doors
  --rate     sends a second
  --every    mean seconds from one fault to the next
  --only     only these kinds of faults, by their names in the report
  --logs     keeps the logs of the servers, as after a failure
  --json     prints the report as JSON

On a terminal it shows how far it is. Ctrl-C ends the faults early, and the verdict is still given; a second one ends it
at once.

Exits with 0 when nothing was lost, duplicated, reordered or counted wrongly, else with 1; with 2 for wrong arguments.`;

const A_DAY_MINUTES = 1440;
const LEAST = 0.001;

/** The faults take nearly all of the time, and nobody knows how long the rest will take. */
function standingOf(progress: Progress, durationMs: number): Standing {
  const { phase, elapsedMs, lastFault, faultCount, sends, deliveries } = progress;
  const last = phase === 'storm' && lastFault !== undefined ? `: ${lastFault}` : '';
  return {
    text: `${phase}, ${sends} sends, ${deliveries} deliveries, ${faultCount} fault${faultCount === 1 ? '' : 's'}${last}`,
    share: phase === 'storm' ? elapsedMs / durationMs : phase === 'starting' ? 0 : 1,
  };
}

async function main(): Promise<number> {
  const { values } = readArguments({
    minutes: { type: 'string', default: '10' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9) + 1) },
    clients: { type: 'string', default: '200' },
    rate: { type: 'string', default: '60' },
    every: { type: 'string', default: '3' },
    only: { type: 'string' },
    logs: { type: 'boolean', default: false },
    json: { type: 'boolean' },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const durationMs = number('minutes', values.minutes, LEAST, A_DAY_MINUTES) * 60_000;
  const options = {
    seed: whole('seed', values.seed, Number.MAX_SAFE_INTEGER),
    durationMs,
    clients: whole('clients', values.clients, 100_000),
    rate: number('rate', values.rate, LEAST, 100_000),
    everyMs: number('every', values.every, LEAST, 3600) * 1000,
    kinds: someOf('only', Object.keys(faults) as FaultName[], values.only),
    keepsLogs: values.logs,
    signal: stopOnSignals(),
  };
  const bar = createProgressBar();
  const report = await torture({
    ...options,
    onProgress: (progress) => bar.show(standingOf(progress, durationMs)),
  }).finally(() => bar[Symbol.dispose]());
  console.log(values.json ? JSON.stringify(report) : printReport(report, paintFor(process.stdout)));
  return report.exitCode;
}

// Connections that faults have left hanging do not keep it.
runCommand(USAGE, main, { exits: true });
