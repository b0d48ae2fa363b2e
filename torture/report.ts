import type { Paint } from '../src/commands/terminal/style.ts';
import type { Device } from './device.ts';
import type { FaultName } from './faults.ts';
import type { Instance } from './instance.ts';
import type { Ledger } from './ledger.ts';
import type { TortureOptions } from './run.ts';
import type { Category, Verdict } from './verdict.ts';

/** The outcome of a run. */
export interface Report {
  seed: number;
  seconds: number;
  clients: number;
  sends: { acknowledged: number; unacknowledged: number };
  mutations: number;
  deliveries: number;
  connections: number;
  resumes: number;
  resets: number;
  slowCloses: number;
  faults: Partial<Record<FaultName, number>>;
  faultCount: number;
  starts: number;
  lateDrains: number;
  /** Servers that ended though nobody asked for it. */
  crashes: string[];
  /** Topics that servers kept after the last device had left. */
  leaks: string[];
  /** Refusals that no fault explains. */
  surprises: Record<string, number>;
  counts: Record<Category, number>;
  details: Record<Category, string[]>;
  /** Where the logs were kept, of a run that failed. */
  logs?: string;
  exitCode: 0 | 1;
}

export interface ReportOptions {
  options: TortureOptions;
  stormMs: number;
  ledger: Ledger;
  devices: readonly Device[];
  faults: ReadonlyMap<FaultName, number>;
  instances: readonly Instance[];
  leaks: string[];
  verdict: Verdict;
}

export function createReport({
  options,
  stormMs,
  ledger,
  devices,
  faults,
  instances,
  leaks,
  verdict,
}: ReportOptions): Report {
  const sum = (count: (device: Device) => number): number => devices.reduce((total, one) => total + count(one), 0);
  const crashes = instances.flatMap((instance) => instance.crashes);
  const { acknowledged } = ledger;
  return {
    seed: options.seed,
    seconds: Math.round(stormMs / 1000),
    clients: devices.length,
    sends: { acknowledged, unacknowledged: ledger.sends.size - acknowledged },
    mutations: ledger.mutations,
    deliveries: sum(({ taken }) => taken.filter(({ kind }) => kind !== 'welcome').length),
    connections: sum(({ connections }) => connections),
    resumes: sum(({ resumes }) => resumes),
    resets: sum(({ taken }) => taken.filter(({ kind }) => kind === 'reset').length),
    slowCloses: sum(({ slowCloses }) => slowCloses),
    faults: Object.fromEntries(faults),
    faultCount: [...faults.values()].reduce((total, count) => total + count, 0),
    starts: instances.reduce((total, { starts }) => total + starts, 0),
    lateDrains: instances.reduce((total, { lateDrains }) => total + lateDrains, 0),
    crashes,
    leaks,
    surprises: Object.fromEntries(ledger.surprises),
    counts: verdict.counts,
    details: verdict.details,
    exitCode: verdict.isClean && crashes.length === 0 && leaks.length === 0 ? 0 : 1,
  };
}

/** The report for people: what must be zero, and is not, stands out. */
export function printReport(report: Report, paint: Paint): string {
  const { sends, faults, details, counts, surprises } = report;
  const row = (name: string, value: string | number): string => `  ${name.padEnd(36)}${value}`;
  const zero = (name: string, value: number): string =>
    paint(value === 0 ? 'green' : ['red', 'bold'], row(name, value));
  const rows = (values: Record<string, number>): string[] =>
    Object.entries(values)
      .toSorted(([, one], [, other]) => other - one)
      .map(([name, value]) => row(name, value));
  const list = (title: string, lines: readonly string[]): string[] =>
    lines.length === 0 ? [] : ['', paint(['red', 'bold'], title), ...lines.map((line) => `  ${line}`)];
  return [
    paint('bold', `seed ${report.seed}, ${report.seconds} s of faults, ${report.clients} clients`),
    row('sends acknowledged', sends.acknowledged),
    row('sends unacknowledged', sends.unacknowledged),
    row('mutations acknowledged', report.mutations),
    row('deliveries', report.deliveries),
    row('connections', report.connections),
    row('resumes', report.resumes),
    row('resets', report.resets),
    row('closed as slow consumers', report.slowCloses),
    row('starts of servers', report.starts),
    row('drains cut off as too late', report.lateDrains),
    zero('crashes of servers', report.crashes.length),
    zero('topics that servers leaked', report.leaks.length),
    '',
    paint('bold', `${report.faultCount} faults of ${Object.keys(faults).length} kinds`),
    ...rows(faults),
    ...(Object.keys(surprises).length === 0
      ? []
      : ['', paint('yellow', 'refusals that no fault explains'), ...rows(surprises)]),
    ...list('crashes', report.crashes),
    ...list('leaked topics', report.leaks),
    ...Object.entries(details).flatMap(([category, lines]) =>
      list(`${category}, the first ${lines.length} of ${counts[category as Category]}`, lines),
    ),
    ...(report.logs === undefined ? [] : ['', `The logs of the servers are in ${report.logs}`]),
    '',
    ...Object.entries(counts).map(([category, count]) => zero(category, count)),
  ].join('\n');
}
