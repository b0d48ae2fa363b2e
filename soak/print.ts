import { type Paint, visible } from '../src/commands/terminal/style.ts';
import { alignedTable } from '../src/commands/terminal/table.ts';
import { median } from '../bench/statistics.ts';
import type { Growth } from './growth.ts';
import type { Report } from './report.ts';
import type { Sample } from './sampler.ts';

const MIB = 2 ** 20;
const MOST_LINES = 12;

const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
const signed = (value: number, digits = 0): string => `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(digits)}`;

/** The report for people: what must not be, and is, stands out. */
export function printReport(report: Report, paint: Paint): string {
  const { samples, databaseSamples, growths, counts, details, surprises, cutOff, errors } = report;
  const servers = [...new Set(samples.map(({ server }) => server))];
  const list = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0
      ? []
      : ['', paint(['red', 'bold'], title), ...lines.slice(0, MOST_LINES).map((line) => `  ${visible(line)}`)];
  const told = (values: Record<string, number>): string[] =>
    Object.entries(values).map(([words, count]) => `${count} × ${words}`);
  const zero = (name: string, value: number): string =>
    paint(value === 0 ? 'green' : ['red', 'bold'], `  ${name.padEnd(28)}${value}`);
  const count = (values: Record<string, number>): number => Object.values(values).reduce((sum, one) => sum + one, 0);
  const [first, last] = [databaseSamples[0], databaseSamples.at(-1)];
  return [
    paint(
      'bold',
      `seed ${report.seed}, ${report.minutes.toFixed(1)} minutes, ${report.clients} clients that come and go`,
    ),
    `  ${report.acts} acts, ${report.sends} sends, ${report.deliveries} deliveries, ${report.connections} connections, ` +
      `${report.resumes} resumes, ${report.webhooks} webhooks`,
    '',
    alignedTable(
      [
        ['server', 'load', 'RSS MiB', 'most', 'heap MiB', 'most', 'descriptors', 'most', 'lag p99 ms', 'most'],
        ...servers.map((server) =>
          serverRow(
            server,
            samples.filter((sample) => sample.server === server),
          ),
        ),
      ],
      (column) => column > 0,
    ),
    '',
    alignedTable(
      [['once warm', 'of', 'samples', 'mean', 'an hour', '±', 'share an hour', ''], ...growths.map(growthRow)],
      (column) => column > 1 && column < 7,
    ),
    '',
    `  connections to the database: ${first?.connections} → ${last?.connections}; rows: ` +
      Object.entries(last?.rows ?? {})
        .map(([table, rows]) => `${table} ${first?.rows[table]} → ${rows}`)
        .join(', '),
    ...list(
      'what grows',
      growths.filter(({ isLeak }) => isLeak).map(({ server, what }) => `${what} of ${server}`),
    ),
    ...list('answers that nothing explains', told(surprises)),
    ...list('connections that were cut off', told(cutOff)),
    ...list('errors in the logs', errors),
    ...Object.entries(details).flatMap(([category, lines]) => list(category, lines)),
    '',
    ...Object.entries(counts).map(([category, value]) => zero(category, value)),
    zero('unexpected answers', count(surprises)),
    zero('connections cut off', count(cutOff)),
    zero('errors in the logs', errors.length),
    zero('leaks', growths.filter(({ isLeak }) => isLeak).length),
  ].join('\n');
}

function serverRow(server: string, samples: readonly Sample[]): string[] {
  const of = (pick: (sample: Sample) => number | undefined): number[] =>
    samples.flatMap((sample) => pick(sample) ?? []);
  const typicalAndMost = (values: readonly number[], print: (value: number) => string): string[] =>
    values.length === 0 ? ['–', '–'] : [print(median(values)), print(Math.max(...values))];
  return [
    server,
    median(of(({ load }) => load)).toFixed(2),
    ...typicalAndMost(
      of(({ rssBytes }) => rssBytes),
      mib,
    ),
    ...typicalAndMost(
      of(({ heapBytes }) => heapBytes),
      mib,
    ),
    ...typicalAndMost(
      of(({ descriptors }) => descriptors),
      String,
    ),
    ...typicalAndMost(
      of(({ lagMs }) => lagMs),
      (ms) => ms.toFixed(1),
    ),
  ];
}

function growthRow({ server, what, samples, mean, perHour, standardError, isLeak }: Growth): string[] {
  const isHeap = what === 'heap';
  const unit = isHeap ? 1024 : 1;
  return [
    server,
    isHeap ? 'heap, KiB' : what,
    String(samples),
    (mean / unit).toFixed(isHeap ? 0 : 1),
    signed(perHour / unit),
    (standardError / unit).toFixed(0),
    `${signed((100 * perHour) / mean, 1)} %`,
    isLeak ? 'grows' : 'steady',
  ];
}
