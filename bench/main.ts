// Measures Carillon beside a server that does the same in the usual way, on this machine.
import { writeFile } from 'node:fs/promises';
import { UsageError, checkWritable, number, readArguments, someOf, whole } from '../src/commands/arguments.ts';
import { runCommand, stopOnSignals } from '../src/commands/run-command.ts';
import { createProgressBar } from '../src/commands/terminal/progress-bar.ts';
import { compare, pathNames } from './compare.ts';
import { grow } from './grow.ts';
import { isFlawless } from './measure.ts';
import { describeMachine, faultsOf, lookOf, printComparison, printGrowth } from './report.ts';
import { Stage } from './stage.ts';

const USAGE = `Usage: npm run bench -- [--rounds 3] [--seconds 2] [--only send,fanout] [--connections 2000] [--rows 100000]
                        [--profile] [--grow] [--json FILE]

Starts a PostgreSQL of its own, Carillon, and a naive server made of the same libraries (bench/naive), gives both the same
loads in turn, and prints what each did and how many times better Carillon was. Takes about four minutes.

  --rounds       rounds; in each, the two take turns at every load
  --seconds      measured time of one load
  --only         only these: ${pathNames.join(', ')}
  --connections  idle connections; half as many are online where something is delivered
  --rows         notifications of the large inbox
  --profile      also shows where Carillon's time goes; looking takes time, so the figures are lower
  --grow         instead, how Carillon's cost grows with connections (4000), with an inbox and with the table (1000000)
  --json         also writes everything that was measured to a file

On a terminal it shows how far it is, and aligns its tables; elsewhere they are Markdown. Ctrl-C ends it after the load
that is under way, a second one at once.

Exits with 0; with 1 when anything was lost, duplicated, misdirected or refused, or the run failed; with 2 for wrong
arguments. See docs/performance.md.`;

/** Half of it takes part in some loads, a fortieth is the beginning of a growth. */
function connectionsIn(text: string): number {
  const connections = whole('connections', text, 50_000);
  if (connections % 40 !== 0) throw new UsageError(`--connections must be a multiple of 40, not ${connections}`);
  return connections;
}

async function main(): Promise<number> {
  const { values } = readArguments({
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '2' },
    only: { type: 'string' },
    connections: { type: 'string' },
    rows: { type: 'string' },
    profile: { type: 'boolean', default: false },
    grow: { type: 'boolean', default: false },
    json: { type: 'string' },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.grow && (values.only !== undefined || values.profile)) {
    throw new UsageError('--grow goes with neither --only nor --profile');
  }
  const rows = whole('rows', values.rows ?? (values.grow ? '1000000' : '100000'), 100_000_000);
  if (rows % 2 !== 0) throw new UsageError(`--rows must be even, as every second notification is unread, not ${rows}`);
  const asked = {
    rounds: whole('rounds', values.rounds, 1000),
    seconds: number('seconds', values.seconds, 0.1, 600),
    connections: connectionsIn(values.connections ?? (values.grow ? '4000' : '2000')),
    rows,
    profile: values.profile,
    paths: someOf('only', pathNames, values.only),
  };
  if (values.json !== undefined) await checkWritable('json', values.json);
  using bar = createProgressBar();
  const options = {
    ...asked,
    signal: stopOnSignals(),
    onProgress: (text: string, share?: number) => bar.show({ text, share }),
  };

  options.onProgress('starting PostgreSQL');
  await using stage = await Stage.open();
  const machine = describeMachine(stage);
  const look = lookOf(process.stdout);
  const { growths, lines, outcomes, text } = values.grow
    ? await grow(stage, options).then((grown) => ({
        ...grown,
        lines: undefined,
        text: printGrowth(machine, grown, look),
      }))
    : await compare(stage, options).then((compared) => ({
        ...compared,
        growths: undefined,
        text: printComparison(machine, compared, look),
      }));
  bar[Symbol.dispose]();
  console.log(text);
  const faults = faultsOf(outcomes);
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ machine, faults, lines, growths }, undefined, 2)}\n`);
  }
  return isFlawless(faults) ? 0 : 1;
}

runCommand(USAGE, main);
