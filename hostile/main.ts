// Lets one hostile client do all it can beside a thousand good ones, and shows what those notice of it.
import { writeFile } from 'node:fs/promises';
import { UsageError, checkWritable, number, readArguments, someOf, whole } from '../src/commands/arguments.ts';
import { runCommand, stopOnSignals } from '../src/commands/run-command.ts';
import { createProgressBar } from '../src/commands/terminal/progress-bar.ts';
import { paintFor } from '../src/commands/terminal/style.ts';
import { kinds } from './kinds.ts';
import { printTrial } from './print.ts';
import { hostile } from './run.ts';
import { MOST_RATIO, judge } from './verdict.ts';

const USAGE = `Usage: npm run hostile -- [--minutes 5] [--quiet-minutes M] [--clients 1000] [--rate 100]
                          [--only 'kind, kind'] [--ratio ${MOST_RATIO}] [--clear-core] [--profile] [--json FILE]

Starts a PostgreSQL and a server with its default limits, and connects good clients, who get notifications at a steady rate
and read. They are measured alone, and then beside one hostile client that does all kinds of harm at once. It has an address,
a user and a process of its own. Where there are cores enough, the server has one to itself; on the others the database and
the good clients go before the hostile one if this is run by root, as if it had a machine of its own. Needs Linux, or an
address 127.0.0.2 on this machine.

  --minutes        how long the attack lasts
  --quiet-minutes  how long the good clients are measured alone; as long, unless told
  --clients        good clients
  --rate           sends a second, and as many pages that are read
  --only           only these kinds, by their names in the report
  --ratio          what they may wait longer, the median and the slowest of a hundred
  --clear-core     keeps everything else that runs on this machine off the server's core meanwhile; needs root
  --profile        also shows where the server's time goes under attack
  --json           also writes everything that was measured to a file

Exits with 0; with 1 when the good clients were slower than that, anything of theirs was lost, duplicated, misdirected or
refused, the server's memory or descriptors did not stay bounded and come back, its log has errors, or the run failed; with
2 for wrong arguments.`;

const A_DAY_MINUTES = 1440;
const LEAST = 0.01;

async function main(): Promise<number> {
  const { values } = readArguments({
    minutes: { type: 'string', default: '5' },
    'quiet-minutes': { type: 'string' },
    clients: { type: 'string', default: '1000' },
    rate: { type: 'string', default: '100' },
    only: { type: 'string' },
    ratio: { type: 'string', default: String(MOST_RATIO) },
    'clear-core': { type: 'boolean', default: false },
    profile: { type: 'boolean', default: false },
    json: { type: 'string' },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  const mostRatio = number('ratio', values.ratio, 0, 1_000_000);
  const asked = {
    attackMs: number('minutes', values.minutes, LEAST, A_DAY_MINUTES) * 60_000,
    quietMs: number('quiet-minutes', values['quiet-minutes'] ?? values.minutes, LEAST, A_DAY_MINUTES) * 60_000,
    clients: whole('clients', values.clients, 20_000),
    rate: number('rate', values.rate, LEAST, 1000),
    kinds: someOf('only', kinds, values.only),
    profile: values.profile,
    isCoreCleared: values['clear-core'],
  };
  if (values['clear-core'] && process.getuid?.() !== 0) throw new UsageError('--clear-core needs root');
  if (values.json !== undefined) await checkWritable('json', values.json);
  using bar = createProgressBar();
  const onProgress = (text: string, share: number): void => bar.show({ text, share });
  const trial = await hostile({ ...asked, signal: stopOnSignals(), onProgress });
  bar[Symbol.dispose]();
  const judged = judge(trial, mostRatio);
  console.log(printTrial({ trial, judged }, paintFor(process.stdout)));
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ ...trial, ...judged }, undefined, 2)}\n`);
  }
  return judged.broken.length === 0 ? 0 : 1;
}

runCommand(USAGE, main);
