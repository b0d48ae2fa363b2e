import type { Outcome } from './load/jobs.ts';
import { type Measurement, type Task, measure } from './measure.ts';
import { type Places, sumPlaces } from './profile.ts';
import type { ServerProcess } from './server-process.ts';
import type { Kind, Stage } from './stage.ts';

export const pathNames = ['send', 'rest', 'deliver', 'fanout', 'idle', 'unread', 'page'] as const;
export type PathName = (typeof pathNames)[number];

export interface CompareOptions {
  readonly rounds: number;
  /** Measured time of each load. */
  readonly seconds: number;
  readonly paths: readonly PathName[];
  /** Of the idle load; half as many take part in the loads that deliver. */
  readonly connections: number;
  /** Rows of the large inbox. */
  readonly rows: number;
  /** Looks where Carillon's time goes. */
  readonly profile: boolean;
  readonly signal: AbortSignal;
  /** Told what begins now, and how much of it all is done, from 0 to 1. */
  readonly onProgress: (text: string, share?: number) => void;
}

export interface Line {
  readonly path: PathName;
  readonly title: string;
  readonly unit: string;
  /** Of each round. */
  readonly naive: readonly Measurement[];
  readonly carillon: readonly Measurement[];
  readonly figureOf: (measurement: Measurement) => number;
  /** How many times better Carillon is, of each round in which there was something to measure of both. */
  readonly ratios: readonly number[];
}

export interface Comparison {
  readonly lines: readonly Line[];
  readonly outcomes: readonly Outcome[];
  /** Carillon's loads with where their time went; empty unless it was looked at. */
  readonly profiles: readonly Profile[];
}

export interface Profile {
  readonly title: string;
  /** Units of work of all rounds, and the processor time of all of them by place. */
  readonly units: number;
  readonly places: Places;
}

export const LANES = 64;
const RECIPIENTS = 200;
const SMALL = 100;

/** A load that both servers get, in a round. */
type Load = 'send' | 'rest' | 'deliver' | 'fanout' | 'idle' | 'unreadSmall' | 'unreadLarge' | 'pageSmall' | 'pageLarge';

type Plan = Omit<Line, 'naive' | 'carillon' | 'ratios'> & {
  readonly carillonLoad: Load;
  readonly naiveLoad: Load;
  readonly lessIsBetter?: boolean;
};

const perSecond = ({ perSecond: value }: Measurement): number => value;
const kib = ({ kibPerConnection = Number.NaN }: Measurement): number => kibPerConnection;

function plan(path: PathName, title: string, unit: string, load: Load, more: Partial<Plan> = {}): Plan {
  return { path, title, unit, figureOf: perSecond, carillonLoad: load, naiveLoad: load, ...more };
}

const plansFor = ({ connections, rows }: CompareOptions): Plan[] => [
  plan('send', 'send over GraphQL', 'sends/s', 'send'),
  plan('rest', 'send over REST, against GraphQL', 'sends/s', 'rest', { naiveLoad: 'send' }),
  plan('deliver', `send to ${connections / 2} users online, until delivered`, 'deliveries/s', 'deliver'),
  plan('fanout', `fan-out to ${connections / 2} devices of one user`, 'deliveries/s', 'fanout'),
  plan('idle', 'memory of an idle connection', 'KiB', 'idle', { figureOf: kib, lessIsBetter: true }),
  plan('idle', 'connect and subscribe', 'connections/s', 'idle'),
  plan('unread', `unread count of ${SMALL} notifications`, 'answers/s', 'unreadSmall'),
  plan('unread', `unread count of ${rows.toLocaleString('en-US')}`, 'answers/s', 'unreadLarge'),
  plan('page', `first page of ${SMALL} notifications`, 'answers/s', 'pageSmall'),
  plan('page', `first page of ${rows.toLocaleString('en-US')}`, 'answers/s', 'pageLarge'),
];

export const UNREAD = '{ unreadCount }';
export const PAGE = '{ notifications(first: 20) { nodes { id title content type priority isRead createdAt } } }';

/** Runs the same loads on both servers, one after the other in each round, and the other way round in the next one. */
export async function compare(stage: Stage, options: CompareOptions): Promise<Comparison> {
  const { rounds, paths, rows, signal, onProgress } = options;
  const plans = plansFor(options).filter(({ path }) => paths.includes(path));
  const needed = {
    naive: new Set(plans.map(({ naiveLoad }) => naiveLoad)),
    carillon: new Set(plans.map(({ carillonLoad }) => carillonLoad)),
  };
  const loads = [...new Set([...needed.naive, ...needed.carillon])];
  const steps = rounds * (needed.naive.size + needed.carillon.size);
  let done = 0;
  const measured = { naive: new Map<Load, Measurement[]>(), carillon: new Map<Load, Measurement[]>() };

  if (paths.includes('unread') || paths.includes('page')) {
    for (const kind of ['naive', 'carillon'] as const) {
      onProgress(`filling inboxes of ${kind}`);
      await stage.fill(kind, 'small', SMALL);
      await stage.fill(kind, 'large', rows);
    }
  }
  for (let round = 1; round <= rounds; round += 1) {
    await using servers = new AsyncDisposableStack();
    const shared = new Map<Kind, ServerProcess>();
    const kinds: Kind[] = round % 2 === 1 ? ['naive', 'carillon'] : ['carillon', 'naive'];
    for (const kind of kinds) shared.set(kind, servers.use(await stage.start(kind)));
    for (const load of loads) {
      for (const kind of kinds.filter((one) => needed[one].has(load))) {
        signal.throwIfAborted();
        onProgress(`round ${round} of ${rounds}: ${load}, ${kind}`, done / steps);
        done += 1;
        const task = taskOf(load, `${kind} ${round} ${load} `, options);
        // What a server has done before shows in its memory.
        await using fresh = load === 'idle' ? await stage.start(kind) : undefined;
        const measurement = await measure(stage, fresh ?? shared.get(kind)!, task, {
          profile: options.profile && kind === 'carillon',
        });
        measured[kind].set(load, [...(measured[kind].get(load) ?? []), measurement]);
      }
    }
  }
  const lines = plans.map(({ carillonLoad, naiveLoad, lessIsBetter = false, ...line }) => {
    const naive = measured.naive.get(naiveLoad) ?? [];
    const carillon = measured.carillon.get(carillonLoad) ?? [];
    const ratios = carillon.flatMap((one, round) => {
      const [ours, theirs] = [line.figureOf(one), line.figureOf(naive[round]!)];
      if (!(ours > 0 && theirs > 0)) return [];
      return lessIsBetter ? theirs / ours : ours / theirs;
    });
    return { ...line, naive, carillon, ratios };
  });
  const profiles = [...measured.carillon].map(([load, all]) => ({
    title: plans.findLast(({ carillonLoad }) => carillonLoad === load)?.title ?? load,
    units: all.reduce((total, { units }) => total + units, 0),
    places: sumPlaces(all.map(({ places = {} }) => places)),
  }));
  return {
    lines,
    outcomes: [...measured.naive.values(), ...measured.carillon.values()].flat(),
    profiles: options.profile ? profiles : [],
  };
}

function taskOf(load: Load, prefix: string, { seconds, connections, rows }: CompareOptions): Task {
  const time = { seconds, warmupSeconds: Math.min(1, seconds / 2) };
  const short = { seconds: seconds / 2, warmupSeconds: Math.min(0.5, seconds / 2) };
  const send = { kind: 'send', door: 'graphql', lanes: LANES, ...time } as const;
  const users = { prefix, count: connections / 2 };
  const ask = { kind: 'ask', lanes: LANES, ...short } as const;
  const unread = (count: number) => ({ ...ask, query: UNREAD, expected: `"unreadCount":${count / 2}}` });
  const page = (count: number) => ({ ...ask, query: PAGE, expected: `"Notification ${count}"` });
  switch (load) {
    case 'send':
      return { ...send, recipients: { prefix, count: RECIPIENTS }, online: false };
    case 'rest':
      return { ...send, door: 'rest', recipients: { prefix, count: RECIPIENTS }, online: false };
    case 'deliver':
      return { ...send, recipients: users, online: true };
    case 'fanout':
      return { kind: 'fanout', userId: prefix, devices: connections / 2, ...time };
    case 'idle':
      return { kind: 'idle', users: { prefix, count: connections }, ...time };
    case 'unreadSmall':
      return { ...unread(SMALL), userId: 'small' };
    case 'unreadLarge':
      return { ...unread(rows), userId: 'large' };
    case 'pageSmall':
      return { ...page(SMALL), userId: 'small' };
    case 'pageLarge':
      return { ...page(rows), userId: 'large' };
  }
}
