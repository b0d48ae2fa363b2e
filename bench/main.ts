// Measures Carillon beside a server that does the same in the usual way, on this machine.
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { type PathName, compare, pathNames } from './compare.ts';
import { grow } from './grow.ts';
import { isFlawless } from './measure.ts';
import { describeMachine, faultsOf, printComparison, printGrowth } from './report.ts';
import { Stage } from './stage.ts';
import { UsageError, runCommand, whole } from './usage.ts';

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

Exits with 0; with 1 when anything was lost, duplicated, misdirected or refused, or the run failed; with 2 for wrong
arguments. See docs/performance.md.`;

function pathsIn(only: string | undefined): readonly PathName[] {
  if (only === undefined) return pathNames;
  return only.split(',').map((text) => {
    const path = pathNames.find((name) => name === text.trim());
    if (path === undefined) throw new UsageError(`--only: "${text.trim()}" is none of: ${pathNames.join(', ')}`);
    return path;
  });
}

function secondsIn(text: string): number {
  const seconds = Number(text);
  if (!(seconds >= 0.1 && seconds <= 600)) throw new UsageError('--seconds must be a number from 0.1 to 600');
  return seconds;
}

/** Half of it takes part in some loads, a fortieth is the beginning of a growth. */
function connectionsIn(text: string): number {
  const connections = whole('connections', text, 50_000);
  if (connections % 40 !== 0) throw new UsageError('--connections must be a multiple of 40');
  return connections;
}

function showProgress(text: string): void {
  process.stderr.write(`\r\x1b[2K${text.slice(0, (process.stderr.columns ?? 80) - 1)}`);
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '3' },
      seconds: { type: 'string', default: '2' },
      only: { type: 'string' },
      connections: { type: 'string' },
      rows: { type: 'string' },
      profile: { type: 'boolean', default: false },
      grow: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return 0;
  }
  if (values.grow && (values.only !== undefined || values.profile)) {
    throw new UsageError('--grow goes with neither --only nor --profile');
  }
  const stopped = new AbortController();
  const isTerminal = process.stderr.isTTY;
  const common = {
    seconds: secondsIn(values.seconds),
    connections: connectionsIn(values.connections ?? (values.grow ? '4000' : '2000')),
    rows: whole('rows', values.rows ?? (values.grow ? '1000000' : '100000'), 100_000_000),
    signal: stopped.signal,
    onProgress: isTerminal ? showProgress : () => {},
  };
  const options = {
    ...common,
    rounds: whole('rounds', values.rounds, 1000),
    profile: values.profile,
    paths: pathsIn(values.only),
  };
  if (options.rows % 2 !== 0) throw new UsageError('--rows must be even: every second notification is unread');
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.on(signal, () => {
      // A second one means "at once"; the reaper sees to what is left.
      if (stopped.signal.aborted) process.exit(1);
      stopped.abort(new Error('stopped before the end'));
    });
  }

  options.onProgress('starting PostgreSQL');
  await using stage = await Stage.open();
  const machine = describeMachine(stage);
  const { growths, lines, outcomes, text } = values.grow
    ? await grow(stage, options).then((grown) => ({ ...grown, lines: undefined, text: printGrowth(machine, grown) }))
    : await compare(stage, options).then((compared) => ({
        ...compared,
        growths: undefined,
        text: printComparison(machine, compared),
      }));
  if (isTerminal) process.stderr.write('\r\x1b[2K');
  console.log(text);
  const faults = faultsOf(outcomes);
  if (values.json !== undefined) {
    await writeFile(values.json, `${JSON.stringify({ machine, faults, lines, growths }, undefined, 2)}\n`);
  }
  return isFlawless(faults) ? 0 : 1;
}

runCommand(USAGE, main);
