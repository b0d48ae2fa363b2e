// Breaks everything around two servers for some minutes, and shows that no device lost anything by it.
import { parseArgs } from 'node:util';
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

Exits with 0 when nothing was lost, duplicated, reordered or counted wrongly, else with 1; with 2 for wrong arguments.`;

class UsageError extends Error {}

function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value) || value <= 0) throw new UsageError(`--${name} must be a number above 0`);
  return value;
}

const whole = (name: string, text: string): number => {
  const value = positive(name, text);
  if (!Number.isSafeInteger(value)) throw new UsageError(`--${name} must be a whole number`);
  return value;
};

function kindsIn(only: string | undefined): readonly FaultName[] {
  const known = Object.keys(faults) as FaultName[];
  if (only === undefined) return known;
  return only.split(',').map((text) => {
    const kind = known.find((name) => name.toLowerCase() === text.trim().toLowerCase());
    if (kind === undefined) throw new UsageError(`--only: "${text.trim()}" is none of: ${known.join(', ')}`);
    return kind;
  });
}

function printProgress({ phase, elapsedMs, lastFault, faultCount, sends, deliveries }: Progress): void {
  const seconds = (elapsedMs / 1000).toFixed(0);
  const line = `${phase} ${seconds} s, ${sends} sends, ${deliveries} deliveries, ${faultCount} faults: ${lastFault ?? ''}`;
  process.stderr.write(`\r\x1b[2K${line.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '10' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9) + 1) },
      clients: { type: 'string', default: '200' },
      rate: { type: 'string', default: '60' },
      every: { type: 'string', default: '3' },
      only: { type: 'string' },
      logs: { type: 'boolean', default: false },
      json: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const stopped = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // A second one means "at once"; the reaper sees to what is left.
      if (stopped.signal.aborted) process.exit(1);
      stopped.abort();
    });
  }
  const showsProgress = process.stderr.isTTY;
  const report = await torture({
    seed: whole('seed', values.seed),
    durationMs: positive('minutes', values.minutes) * 60_000,
    clients: whole('clients', values.clients),
    rate: positive('rate', values.rate),
    everyMs: positive('every', values.every) * 1000,
    kinds: kindsIn(values.only),
    keepsLogs: values.logs,
    signal: stopped.signal,
    onProgress: showsProgress ? printProgress : () => {},
  });
  if (showsProgress) process.stderr.write('\r\x1b[2K');
  console.log(values.json ? JSON.stringify(report) : printReport(report));
  return report.exitCode;
}

main().then(
  (code) => process.exit(code),
  (error: unknown) => {
    const isUsage =
      error instanceof UsageError || (error as { code?: string } | null)?.code?.startsWith('ERR_PARSE_ARGS') === true;
    console.error(isUsage ? `${(error as Error).message}\n\n${USAGE}` : error);
    process.exit(isUsage ? 2 : 1);
  },
);
