import { cpus, totalmem } from 'node:os';
import { type Paint, paintFor } from '../src/commands/terminal/style.ts';
import { alignedTable } from '../src/commands/terminal/table.ts';
import type { Comparison, Line, Profile } from './compare.ts';
import type { Growth, Grown } from './grow.ts';
import type { Faults, Outcome } from './load/jobs.ts';
import { type Measurement, faultNames, isFlawless, sumFaults } from './measure.ts';
import type { Stage } from './stage.ts';
import { median } from './statistics.ts';

/** What was measured on. */
export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGib: number;
  readonly platform: string;
  readonly node: string;
  readonly postgres: string;
  readonly pinned: string;
}

export function describeMachine({ postgresVersion, cores }: Stage): Machine {
  return {
    cores: cpus().length,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    memoryGib: Math.round(totalmem() / 2 ** 30),
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
    postgres: `${postgresVersion}, fsync on`,
    pinned: cores
      ? `the server alone on core ${cores.server}, load and PostgreSQL on ${cores.others}`
      : 'nothing: server, load and PostgreSQL share the cores',
  };
}

const machineLine = ({ cores, processor, memoryGib, platform, node, postgres, pinned }: Machine): string =>
  `${cores} cores (${processor}), ${memoryGib} GiB, ${platform}; Node ${node}, PostgreSQL ${postgres}; pinned: ${pinned}.`;

/** Three digits or more, as far as they mean something. */
const figure = (value: number | undefined): string => {
  if (value === undefined || Number.isNaN(value)) return '–';
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
};

/** How a report looks: for people at a terminal, or as Markdown. */
export interface Look {
  readonly paint: Paint;
  readonly strong: (text: string) => string;
  readonly table: (head: readonly string[], rows: readonly (readonly string[])[]) => string;
}

export function lookOf(stream: NodeJS.WriteStream): Look {
  const paint = paintFor(stream);
  if (stream.isTTY) {
    return {
      paint,
      strong: (text) => paint(['bold', 'green'], text),
      table: (head, rows) => alignedTable([head.map((name) => paint('bold', name)), ...rows], (column) => column > 0),
    };
  }
  return {
    paint,
    strong: (text) => `**${text}**`,
    table: (head, rows) =>
      [head, head.map((_, index) => (index === 0 ? '---' : '--:')), ...rows]
        .map((row) => `| ${row.join(' | ')} |`)
        .join('\n'),
  };
}

const middle = (all: readonly Measurement[], figureOf: (one: Measurement) => number | undefined): string =>
  figure(median(all.map(figureOf).filter((value) => value !== undefined)));

function lineOf({ title, unit, naive, carillon, figureOf, ratios }: Line, { strong }: Look): string[] {
  const isMeasured = ratios.length > 0;
  const spread = isMeasured ? `${Math.min(...ratios).toFixed(1)}–${Math.max(...ratios).toFixed(1)}` : '–';
  return [
    title,
    unit,
    middle(naive, figureOf),
    middle(carillon, figureOf),
    isMeasured ? strong(median(ratios).toFixed(1)) : '–',
    spread,
    middle(naive, ({ cpuMicros }) => cpuMicros),
    middle(carillon, ({ cpuMicros }) => cpuMicros),
    middle(naive, ({ p99Ms }) => p99Ms),
    middle(carillon, ({ p99Ms }) => p99Ms),
  ];
}

const growthTable = ({ title, of, columns, rows }: Growth, { table }: Look): string =>
  `${title}\n\n${table(
    [of, ...columns],
    rows.map(({ size, values }) => [size.toLocaleString('en-US'), ...values.map(figure)]),
  )}`;

export const faultsOf = (outcomes: readonly Outcome[]): Faults => sumFaults(outcomes.map(({ faults }) => faults));

const faultLine = (outcomes: readonly Outcome[], { paint }: Look): string => {
  const faults = faultsOf(outcomes);
  const all = faultNames.map((name) => `${name} ${faults[name]}`).join(', ');
  return paint(isFlawless(faults) ? 'green' : ['red', 'bold'], `Faults: ${all}.`);
};

/** Places with less than this share are put together. */
const LEAST_SHARE = 0.02;

function profileTable({ title, units, places }: Profile, { table }: Look): string {
  const total = Object.values(places).reduce((sum, micros) => sum + micros, 0);
  const sorted = Object.entries(places).toSorted(([, one], [, other]) => other - one);
  const shown = sorted.filter(([, micros]) => micros >= total * LEAST_SHARE);
  const others = total - shown.reduce((sum, [, micros]) => sum + micros, 0);
  const rows = [...shown, ['everything else', others] as const, ['together', total] as const].map(([place, micros]) => [
    place,
    `${((micros / total) * 100).toFixed(0)} %`,
    figure(micros / units),
  ]);
  return `Where the time goes: ${title}\n\n${table(['place', 'share', 'µs each'], rows)}`;
}

export function printComparison(machine: Machine, { lines, outcomes, profiles }: Comparison, look: Look): string {
  const head = [
    '',
    'unit',
    'naive',
    'Carillon',
    'times better',
    'spread',
    'naive µs',
    'Carillon µs',
    'naive p99 ms',
    'Carillon p99 ms',
  ];
  return [
    machineLine(machine),
    look.table(
      head,
      lines.map((line) => lineOf(line, look)),
    ),
    ...profiles.map((profile) => profileTable(profile, look)),
    faultLine(outcomes, look),
  ].join('\n\n');
}

export function printGrowth(machine: Machine, { growths, outcomes }: Grown, look: Look): string {
  const tables = growths.map((growth) => growthTable(growth, look));
  return [machineLine(machine), ...tables, faultLine(outcomes, look)].join('\n\n');
}
