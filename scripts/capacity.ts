/**
 * `npm run capacity`: what so many users take, from what was measured and what is assumed. `--users 5000000`,
 * `--online 0.2` and so on replace assumptions. `--write` puts the tables with the usual assumptions into
 * docs/scaling.md, and is what to run when docs/performance.md has new figures.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Assumed, type Measured, type Plan, planCapacity } from './capacity-plan.ts';

const docs = join(import.meta.dirname, '../docs');
const page = join(docs, 'scaling.md');
const SLOT = /(?<=<!-- capacity -->\n).*(?=<!-- \/capacity -->)/s;

const usual: Assumed = {
  users: 1_000_000,
  online: 0.1,
  devices: 1.2,
  perDay: 10,
  opens: 5,
  peak: 4,
  use: 0.6,
  days: 90,
  bloat: 1.5,
  processGib: 1,
  databaseCores: 4,
  databaseGib: 32,
  copies: 2,
  corePrice: 25,
  memoryPrice: 4,
  diskPrice: 0.12,
};

/** Rows of the table in docs/performance.md, and which of its numbers is taken. */
const sources = {
  sendUs: ['send over GraphQL', 'Carillon µs'],
  deliveryUs: ['fan-out to 1,000 devices of one user', 'Carillon µs'],
  connectUs: ['connect and subscribe', 'Carillon µs'],
  pageUs: ['first page of 100 notifications', 'Carillon µs'],
  countUs: ['unread count of 100 notifications', 'Carillon µs'],
  connectionKib: ['memory of an idle connection', 'Carillon'],
} as const;

/** Figures that are not in that table: docs/scaling.md says where each is from. */
const others = { databaseSendUs: 180, databasePageUs: 100, rowBytes: 412, connectionsPerProcess: 4000 };

const cellsOf = (line: string): string[] =>
  line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim());

/** The number in a row and a column of the table in docs/performance.md. @throws when it is not there. */
function measuredIn(text: string, row: string, column: string): number {
  const lines = text.split('\n').filter((line) => line.startsWith('|'));
  const columns = cellsOf(lines.find((line) => cellsOf(line).includes('Carillon µs')) ?? '');
  const cells = cellsOf(lines.find((line) => cellsOf(line)[0] === row) ?? '');
  const value = Number(cells[columns.indexOf(column)]?.replaceAll(',', '') || Number.NaN);
  if (Number.isNaN(value)) throw new Error(`docs/performance.md has no number for "${row}", "${column}"`);
  return value;
}

const table = (head: string[], rows: (string | number)[][]): string =>
  [head, head.map((_, nth) => (nth < head.length - 1 ? '---' : '--:')), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |\n`)
    .join('');

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const short = (value: number): string => value.toLocaleString('en-US', { maximumSignificantDigits: 3 });

const assumptionRows = (assumed: Assumed): string[][] => [
  ['`users`', 'users', whole(assumed.users)],
  ['`online`', 'share of them that is connected at the busiest hour', short(assumed.online)],
  ['`devices`', 'connections of one who is', short(assumed.devices)],
  ['`perDay`', 'notifications that one gets in a day', short(assumed.perDay)],
  ['`opens`', 'times a day that one opens the application', short(assumed.opens)],
  ['`peak`', 'the busiest second against the mean one', short(assumed.peak)],
  ['`use`', 'share of a core that may be used then', short(assumed.use)],
  ['`days`', 'days that notifications are kept', short(assumed.days)],
  ['`bloat`', 'a table after long use against a fresh one', short(assumed.bloat)],
  ['`processGib`', 'GiB that one process may have', short(assumed.processGib)],
  ['`databaseCores`', 'cores of PostgreSQL', short(assumed.databaseCores)],
  ['`databaseGib`', 'GiB of memory of PostgreSQL', short(assumed.databaseGib)],
  ['`copies`', 'machines for PostgreSQL: one, and a standby', short(assumed.copies)],
  ['`corePrice`', 'money for a core in a month: an example', short(assumed.corePrice)],
  ['`memoryPrice`', 'for a GiB of memory: an example', short(assumed.memoryPrice)],
  ['`diskPrice`', 'for a GiB of disk: an example', short(assumed.diskPrice)],
];

const resultRows = (plan: Plan): string[][] => [
  ['connections', '`users × online × devices`', whole(plan.connections)],
  ['their memory, GiB', '`connections × connectionKib ÷ 1,024²`', short(plan.connectionGib)],
  ['sends a second', '`users × perDay ÷ 86,400 × peak`', short(plan.sendsPerSecond)],
  ['deliveries a second', '`sends × online × devices`', short(plan.deliveriesPerSecond)],
  ['opens a second', '`users × opens ÷ 86,400 × peak`', short(plan.opensPerSecond)],
  [
    'busy cores of servers',
    '`(sends × sendUs + deliveries × deliveryUs + opens × (connectUs + pageUs + countUs)) ÷ 10⁶`',
    short(plan.busyCores),
  ],
  [
    'busy cores of PostgreSQL',
    '`(sends × databaseSendUs + opens × databasePageUs) ÷ 10⁶`',
    short(plan.busyDatabaseCores),
  ],
  ['processes, by cores', '`busy cores ÷ use`, rounded up', whole(plan.processesByCores)],
  [
    'processes, by connections',
    '`connections ÷ connectionsPerProcess`, rounded up',
    whole(plan.processesByConnections),
  ],
  ['processes', 'the greater of the two', whole(plan.processes)],
  ['seconds until all are back', '`connections × connectUs ÷ 10⁶ ÷ (processes × use)`', short(plan.reconnectSeconds)],
  ['rows', '`users × perDay × days`', whole(plan.rows)],
  ['disk, GiB', '`rows × rowBytes × bloat ÷ 1,024³`', short(plan.diskGib)],
  ['servers, money a month', '`processes × (corePrice + processGib × memoryPrice)`', whole(plan.serverCost)],
  [
    'PostgreSQL, money a month',
    '`copies × (databaseCores × corePrice + databaseGib × memoryPrice + disk × diskPrice)`',
    whole(plan.databaseCost),
  ],
  ['money a month for a million users', '`(servers + PostgreSQL) ÷ (users ÷ 10⁶)`', whole(plan.costPerMillion)],
];

const measuredRows = (measured: Measured): string[][] => [
  ...Object.entries(sources).map(([name, [row, column]]) => [
    `\`${name}\``,
    `[performance](performance.md#what-was-measured): ${row}, ${column}`,
    short(measured[name as keyof Measured]),
  ]),
  [
    '`databaseSendUs`',
    '[performance](performance.md#what-costs-what): PostgreSQL’s time for a send by itself',
    whole(measured.databaseSendUs),
  ],
  [
    '`databasePageUs`',
    '[performance](performance.md#what-costs-what): PostgreSQL’s time for a page by itself',
    whole(measured.databasePageUs),
  ],
  ['`rowBytes`', '[below](#how-the-size-of-a-row-was-measured)', whole(measured.rowBytes)],
  [
    '`connectionsPerProcess`',
    '[performance](performance.md#how-the-cost-grows): the most that were measured, not the most that there can be',
    whole(measured.connectionsPerProcess),
  ],
];

function describe(measured: Measured, assumed: Assumed): string {
  return [
    table(['measured', 'where', 'value'], measuredRows(measured)),
    table(['assumed', 'what it is', 'value'], assumptionRows(assumed)),
    table(['result', 'formula', 'value'], resultRows(planCapacity(measured, assumed))),
  ].join('\n');
}

const options = Object.fromEntries(Object.keys(usual).map((name) => [name, { type: 'string' as const }])) as Record<
  keyof Assumed,
  { type: 'string' }
>;
const { values } = parseArgs({ options: { ...options, write: { type: 'boolean' } } });
const { write, ...given } = values;
const numbers = Object.entries(given).map(([name, text]) => {
  const value = Number(text);
  if (!(value > 0)) throw new RangeError(`--${name} must be a number above 0`);
  return [name, value] as const;
});
const assumed = { ...usual, ...Object.fromEntries(numbers) };
const performanceText = readFileSync(join(docs, 'performance.md'), 'utf8');
const figures = Object.entries(sources).map(([name, [row, column]]) => [
  name,
  measuredIn(performanceText, row, column),
]);
const measured = { ...(Object.fromEntries(figures) as Omit<Measured, keyof typeof others>), ...others };

const text = describe(measured, assumed);
if (write) {
  const before = readFileSync(page, 'utf8');
  if (!SLOT.test(before)) throw new Error('docs/scaling.md has no place for the tables');
  writeFileSync(
    page,
    before.replace(SLOT, () => `\n${text}\n`),
  );
} else {
  console.log(text);
}
