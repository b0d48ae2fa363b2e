import { LANES, PAGE, UNREAD } from './compare.ts';
import type { Outcome } from './load/jobs.ts';
import { type Measurement, type Task, measure } from './measure.ts';
import type { ServerProcess } from './server-process.ts';
import type { Stage } from './stage.ts';

export interface GrowOptions {
  /** Measured time of each load. */
  readonly seconds: number;
  /** The most connections. */
  readonly connections: number;
  /** The most rows, of an inbox and then of the table. */
  readonly rows: number;
  readonly signal: AbortSignal;
  /** Told what begins now, and how much of it all is done, from 0 to 1. */
  readonly onProgress: (text: string, share?: number) => void;
}

/** A table of what Carillon's work costs as one thing grows: a row for each size. */
export interface Growth {
  readonly title: string;
  readonly of: string;
  readonly columns: readonly string[];
  readonly rows: readonly { readonly size: number; readonly values: readonly number[] }[];
}

export interface Grown {
  readonly growths: readonly Growth[];
  readonly outcomes: readonly Outcome[];
}

const RECIPIENTS = 200;

/** Of the inboxes that make the table large. */
const ROWS_OF_OTHERS = 100;

/** Measurements: three sizes of connections, of the table and of an inbox, with as many of each as there are below. */
const STEPS = 3 * (3 + 3 + 4);

/** Shows how Carillon's cost grows with connections, with the size of an inbox, and with the size of the table. */
export async function grow(stage: Stage, options: GrowOptions): Promise<Grown> {
  const outcomes: Outcome[] = [];
  const run: Run = async (what, server, task) => {
    options.signal.throwIfAborted();
    options.onProgress(what, outcomes.length / STEPS);
    const measurement = await measure(stage, server, task);
    outcomes.push(measurement);
    return measurement;
  };
  const growths = [
    await growConnections(stage, options, run),
    await growTable(stage, options, run),
    await growInbox(stage, options, run),
  ];
  return { growths, outcomes };
}

type Run = (what: string, server: ServerProcess, task: Task) => Promise<Measurement>;

/** Longer than where servers are compared: what is compiled meanwhile would be put down to the smallest size. */
const MOST_WARMUP_SECONDS = 2;
const warmupSeconds = ({ seconds }: GrowOptions): number => Math.min(MOST_WARMUP_SECONDS, seconds);

const sendTask = (options: GrowOptions, recipients: { prefix: string; count: number }, online: boolean) =>
  ({
    kind: 'send',
    door: 'graphql',
    lanes: LANES,
    seconds: options.seconds,
    warmupSeconds: warmupSeconds(options),
    recipients,
    online,
  }) as const;

const askTask = (options: GrowOptions, userId: string, query: string, expected: string) =>
  ({
    kind: 'ask',
    lanes: LANES,
    seconds: options.seconds / 2,
    warmupSeconds: warmupSeconds(options) / 2,
    userId,
    query,
    expected,
  }) as const;

const fanoutTask = (options: GrowOptions, devices: number) =>
  ({
    kind: 'fanout',
    userId: `devices ${devices}`,
    devices,
    seconds: options.seconds,
    warmupSeconds: warmupSeconds(options) / 2,
  }) as const;

async function growConnections(stage: Stage, options: GrowOptions, run: Run): Promise<Growth> {
  const rows: Growth['rows'][number][] = [];
  for (const size of [options.connections / 40, options.connections / 4, options.connections].map(Math.round)) {
    await using server = await stage.start('carillon');
    const users = { prefix: `online ${size} `, count: size };
    const idle = await run(`${size} connections, idle`, server, { kind: 'idle', users, seconds: 0, warmupSeconds: 0 });
    const deliver = await run(`${size} connections, deliveries`, server, sendTask(options, users, true));
    const fanout = await run(`${size} devices of one user`, server, fanoutTask(options, size));
    rows.push({
      size,
      values: [
        idle.kibPerConnection ?? Number.NaN,
        idle.perSecond,
        deliver.perSecond,
        deliver.cpuMicros,
        fanout.perSecond,
        fanout.cpuMicros,
      ],
    });
  }
  const title = 'Connections: one of each user, then all of one user';
  const columns = [
    'KiB each',
    'connections/s',
    'sent and delivered/s',
    'server µs each',
    'fan-out deliveries/s',
    'server µs each',
  ];
  return { title, of: 'connections', columns, rows };
}

async function growTable(stage: Stage, options: GrowOptions, run: Run): Promise<Growth> {
  await using server = await stage.start('carillon');
  await stage.fill('carillon', 'reader', ROWS_OF_OTHERS);
  const rows: Growth['rows'][number][] = [];
  let inboxes = 0;
  for (const size of [0, options.rows / 10, options.rows].map(Math.round)) {
    const wanted = Math.round(size / ROWS_OF_OTHERS);
    options.onProgress(`filling ${wanted} inboxes`);
    const names = Array.from({ length: wanted - inboxes }, (_, index) => `other ${inboxes + index}`);
    await stage.fillMany(names, ROWS_OF_OTHERS);
    inboxes = wanted;
    const recipients = { prefix: `beside ${size} `, count: RECIPIENTS };
    const send = await run(`sends beside ${size} rows`, server, sendTask(options, recipients, false));
    const count = askTask(options, 'reader', UNREAD, `"unreadCount":${ROWS_OF_OTHERS / 2}}`);
    const unread = await run(`unread count beside ${size} rows`, server, count);
    const list = askTask(options, 'reader', PAGE, `"Notification ${ROWS_OF_OTHERS}"`);
    const page = await run(`first page beside ${size} rows`, server, list);
    rows.push({ size, values: [send, unread, page].flatMap(({ perSecond, cpuMicros }) => [perSecond, cpuMicros]) });
  }
  const title = `Table: rows of other inboxes, ${ROWS_OF_OTHERS} in each`;
  const columns = ['sends/s', 'server µs each', 'unread counts/s', 'server µs each', 'first pages/s', 'server µs each'];
  return { title, of: 'rows', columns, rows };
}

const MIDDLE = `query ($after: String) {
  notifications(first: 20, after: $after) { nodes { id title content type priority isRead createdAt } }
}`;

async function growInbox(stage: Stage, options: GrowOptions, run: Run): Promise<Growth> {
  await using server = await stage.start('carillon');
  const rows: Growth['rows'][number][] = [];
  for (const size of [options.rows / 10_000, options.rows / 100, options.rows].map((one) =>
    Math.max(40, Math.round(one)),
  )) {
    const prefix = `inbox ${rows.length} `;
    const userId = `${prefix}0`;
    options.onProgress(`filling an inbox with ${size} rows`);
    await stage.fill('carillon', userId, size);
    const middle = size >> 1;
    const count = askTask(options, userId, UNREAD, `"unreadCount":${middle}}`);
    const unread = await run(`unread count of ${size} rows`, server, count);
    const page = await run(
      `first page of ${size} rows`,
      server,
      askTask(options, userId, PAGE, `"Notification ${size}"`),
    );
    const variables = { after: await stage.cursorOf(userId, middle) };
    const further = { ...askTask(options, userId, MIDDLE, `"Notification ${middle - 1}"`), variables };
    const inside = await run(`a page in the middle of ${size} rows`, server, further);
    const send = await run(`sends into ${size} rows`, server, sendTask(options, { prefix, count: 1 }, false));
    rows.push({ size, values: [unread, page, inside, send].map(({ perSecond }) => perSecond) });
  }
  const columns = ['unread counts/s', 'first pages/s', 'pages from the middle/s', 'sends into it/s'];
  return { title: 'Inbox: its notifications', of: 'rows', columns, rows };
}
