import type { Paint } from '../src/commands/terminal/style.ts';
import { visible } from '../src/commands/terminal/style.ts';
import { alignedTable } from '../src/commands/terminal/table.ts';
import type { Places } from '../bench/profile.ts';
import type { Holding, Trial } from './run.ts';
import type { Judged } from './verdict.ts';

const MIB = 2 ** 20;
const MOST_PLACES = 15;

const IN_THE_WAY =
  'The hostile client shared a core with the good ones and the database, who waited for it there too: run it as root.';

/** The outcome for people. */
export function printTrial({ trial, judged }: { trial: Trial; judged: Judged }, paint: Paint): string {
  const { quiet, attacked, answers, isInTheWay, load, holding, places } = trial;
  const ms = (value: number | undefined): string => (value ?? Number.NaN).toFixed(2);
  const row = (name: string, { p50Ms, p99Ms, units, faults }: Trial['quiet'], share: number): string[] => [
    name,
    ms(p50Ms),
    ms(p99Ms),
    String(units),
    String(faults.lost),
    String(faults.duplicated),
    String(faults.misdirected),
    String(faults.refused),
    share.toFixed(2),
  ];
  const held = (name: string, { rssBytes, heapBytes, descriptors }: Holding): string[] => [
    name,
    (rssBytes / MIB).toFixed(0),
    (heapBytes / MIB).toFixed(0),
    String(descriptors ?? '–'),
  ];
  return [
    alignedTable(
      [
        ['good clients', 'p50 ms', 'p99 ms', 'deliveries', 'lost', 'twice', 'astray', 'refused', 'load'],
        row('alone', quiet, load.quiet),
        row('under attack', attacked, load.attacked),
        ['ratio', judged.ratios.p50.toFixed(2), judged.ratios.p99.toFixed(2), '', '', '', '', '', ''],
      ],
      (column) => column > 0,
    ),
    ...(isInTheWay ? ['', paint('dim', IN_THE_WAY)] : []),
    '',
    alignedTable(
      [
        ['the server', 'RSS MiB', 'heap MiB', 'descriptors'],
        held('before', holding.before),
        held('at its peak', holding.peak),
        held('after', holding.after),
      ],
      (column) => column > 0,
    ),
    '',
    alignedTable([
      ['the hostile client', 'was answered'],
      ...Object.entries(answers).map(([kind, counts]) => [kind, countsOf(counts)]),
    ]),
    ...(places === undefined ? [] : ['', paint('bold', 'Where the time went'), ...sharesOf(places)]),
    '',
    ...(judged.broken.length === 0
      ? [paint('green', 'All promises hold.')]
      : judged.broken.map((words) => paint(['red', 'bold'], visible(words)))),
  ].join('\n');
}

const countsOf = (counts: Record<string, number>): string =>
  Object.entries(counts)
    .toSorted(([, one], [, other]) => other - one)
    .map(([answer, count]) => `${count} × ${answer}`)
    .join(', ') || 'nothing yet';

function sharesOf(places: Places): string[] {
  const all = Object.values(places).reduce((sum, micros) => sum + micros, 0);
  return Object.entries(places)
    .toSorted(([, one], [, other]) => other - one)
    .slice(0, MOST_PLACES)
    .map(([place, micros]) => `  ${((100 * micros) / all).toFixed(1).padStart(5)} %  ${place}`);
}
