import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Client } from 'pg';
import type { InboxAddress } from '../../src/services/caller.ts';
import type { Filter } from '../../src/services/inbox-filter.ts';
import type { PageRequest } from '../../src/services/inbox-page-reader.ts';
import type { Paging } from '../../src/services/paging.ts';
import { type Crowd, LARGE, TENANT, gatherCrowd, pretendRows } from '../bench/crowd.ts';
import { type Bounds, type PlanMode, explain, faultsOf } from '../bench/explain.ts';
import { type Statement, recordStatements } from '../bench/statements.ts';
import { encodeSentCursor } from '../../src/services/sent-cursor.ts';
import type { SentFilter } from '../../src/services/sent-notifications.ts';
import { databaseUrl } from '../support/postgres.ts';
import { createDueWork } from './due-support.ts';
import { type Services, callerAt, newAddress, openServices } from './support.ts';
import { asTenant, currentScope } from '../../src/scope.ts';

const ONE_ROW: Bounds = { buffers: 20, sorted: 1 };

/** As many as a page of a hundred, where each row lies on a page of its own, with what leads to them. */
const PAGE: Bounds = { buffers: 125, sorted: 101 };

/** Each row also leads to the inbox that it is in. */
const SENT_PAGE: Bounds = { buffers: 180, sorted: 22 };
const LARGEST_SENT_PAGE: Bounds = { buffers: 700, sorted: 102 };

const RECEIPTS_PAGE: Bounds = { buffers: 125, sorted: 101 };

/** A thousand receipts without a version, each on a page of its own. */
const LOOK_FOR_UNNUMBERED: Bounds = { buffers: 1100, sorted: 1000 };

/** Some twenty rows of each of three kinds. */
const FIRST_CHANGES: Bounds = { buffers: 125, sorted: 75 };
const FURTHER_CHANGES: Bounds = { buffers: 800, sorted: 610 };

/** What came and went while a reader was away is passed over row by row: some fifty of them are on a page. */
const passingOver = (bounds: Bounds, deletions: number): Bounds => ({
  ...bounds,
  buffers: bounds.buffers + deletions / 40,
});

const HEADS_TOGETHER = 500;
const READERS_TOGETHER = 200;
const PAGES_TOGETHER = 16;

/** What a read takes for granted. */
type Need = 'statistics' | 'more inboxes than are asked for together';

interface Read {
  readonly name: string;
  readonly bounds: Bounds;
  readonly needs?: Need;
  readonly run: (address: InboxAddress, additions: number) => Promise<unknown>;
}

let services: Services;
let dueWork: ReturnType<typeof createDueWork>;
/** The owner of the database, held to the scope like the server. */
let client: Client;
/** A superuser, who may pretend. */
let admin: Client;
let crowd: Crowd;
const ids = new Map<InboxAddress, string>();
/** In the middle of what was sent. */
let middleId: string;

beforeAll(async () => {
  services = await openServices();
  dueWork = createDueWork(services);
  client = new Client({ connectionString: services.url });
  await client.connect();
  const adminUrl = process.env['TEST_POSTGRES_ADMIN_URL'] as string;
  admin = new Client({ connectionString: databaseUrl(adminUrl, new URL(services.url).pathname.slice(1)) });
  await admin.connect();
  crowd = await gatherCrowd(admin);
  for (const address of addresses()) {
    const { notifications } = await services.log.page(address, { filter: {}, order: 'newest', limit: 1, offset: 5 });
    ids.set(address, notifications[0]!.id);
  }
  const { rows } = await client.query<{ id: string }>('select id from notification order by id offset 200000 limit 1');
  middleId = rows[0]!.id;
}, 240_000);
afterAll(async () => {
  await client?.end();
  await admin?.end();
  await dueWork?.[Symbol.asyncDispose]();
  await services?.[Symbol.asyncDispose]();
});

const addresses = (): InboxAddress[] => [crowd.large, crowd.small[1234]!];
const together = (count: number): InboxAddress[] => [crowd.large, ...crowd.small.slice(0, count - 1)];

const additionsOf = (address: InboxAddress): number =>
  address === crowd.large ? crowd.additions.large : crowd.additions.small;
const quiet = (additions: number): number => crowd.quietFrom(additions);
const middle = (additions: number): number => quiet(additions) / 2;
const head = (additions: number): number => crowd.headOf(additions);

function page(
  name: string,
  request: Partial<PageRequest>,
  bounds: (middle: number) => Partial<PageRequest> = () => ({}),
): Read {
  const whole = { filter: {}, order: 'newest', limit: 21, ...request } as const;
  return {
    name: `a page ${name}`,
    bounds: PAGE,
    run: (address, additions) => services.log.page(address, { ...whole, ...bounds(middle(additions)) }),
  };
}

function changes(name: string, after: (additions: number) => number, additionsOnly = false): Read {
  return {
    name: `the first page of changes ${name}`,
    bounds: FIRST_CHANGES,
    run: (address, additions) => services.replays.after(address, after(additions), { additionsOnly }).next(),
  };
}

const senderOf = (address: InboxAddress): InboxAddress =>
  address === crowd.large ? crowd.senders.large : crowd.senders.small[77]!;

/** Of the one who sent all that there is. */
function sent(
  name: string,
  paging: () => Paging,
  filter: (address: InboxAddress) => SentFilter = () => ({}),
  bounds = SENT_PAGE,
): Read {
  return {
    name: `a page of what was sent, ${name}`,
    bounds,
    run: (address) => services.sent.list(callerAt(crowd.senders.large), paging(), filter(address)),
  };
}

const fromMiddle = () => encodeSentCursor(crowd.senders.large, middleId);

function receipts(name: string, after: (head: number) => number): Read {
  return {
    name: `a page of receipts ${name}`,
    bounds: RECEIPTS_PAGE,
    run: async (address) => {
      const { version } = await services.receipts.head(senderOf(address));
      return services.receipts.after(senderOf(address), after(version));
    },
  };
}

async function readTwoPages(address: InboxAddress, after: number): Promise<void> {
  const reader = services.replays.after(address, after);
  await reader.next();
  await reader.next();
}

const unread: Filter = { unread: true };
const deletionsSinceMiddle = LARGE / 10;

const reads: Read[] = [
  { name: 'the head', bounds: ONE_ROW, run: (address) => services.log.head(address) },
  { name: 'the count of all', bounds: ONE_ROW, run: (address) => services.log.count(address, {}) },
  { name: 'the count of unread ones', bounds: ONE_ROW, run: (address) => services.log.count(address, unread) },
  { name: 'one by its id', bounds: ONE_ROW, run: (address) => services.log.find(address, ids.get(address)!) },
  { name: 'one of somebody else', bounds: ONE_ROW, run: () => services.log.find(newAddress(), ids.get(crowd.large)!) },
  {
    name: 'one as its sender sees it',
    bounds: ONE_ROW,
    run: (address) => services.log.findSent(address.tenantId, 'sender', ids.get(address)!),
  },
  { name: 'the look at what is due', bounds: ONE_ROW, run: () => dueWork.run() },
  page('of the newest', {}),
  page('of the oldest', { order: 'oldest' }),
  page('of the largest size', { limit: 101 }),
  page('by its number', { limit: 20, offset: 20 }),
  page('before a cursor', {}, (before) => ({ before })),
  page('after a cursor', { order: 'oldest' }, (after) => ({ after })),
  page('between two cursors', {}, (version) => ({ after: version / 2, before: version })),
  page('of unread ones', { filter: unread }),
  page('of unread ones before a cursor', { filter: unread }, (before) => ({ before })),
  page('of the oldest unread ones', { filter: unread, order: 'oldest' }),
  page('of read ones before a cursor', { filter: { unread: false } }, (before) => ({ before })),
  { ...page('of one type', { filter: { types: ['TASK'] }, limit: 11 }), needs: 'statistics' },
  { ...page('of unread ones that press', { filter: { ...unread, priorities: ['URGENT'] } }), needs: 'statistics' },
  changes('at the head', head),
  changes('just before the head', (additions) => head(additions) - 5),
  changes('from the beginning', () => 0),
  changes('of a long time in which nothing was read', quiet),
  changes('of that time, additions only', quiet, true),
  { ...changes('from the middle', middle), bounds: passingOver(FIRST_CHANGES, deletionsSinceMiddle) },
  {
    name: 'a further page of changes',
    bounds: passingOver(FURTHER_CHANGES, deletionsSinceMiddle),
    needs: 'statistics',
    run: (address, additions) => readTwoPages(address, middle(additions)),
  },
  sent('of the newest', () => ({})),
  sent('of the oldest', () => ({ last: 20 })),
  sent('of the largest size', () => ({ first: 100 }), undefined, LARGEST_SENT_PAGE),
  sent('after a cursor', () => ({ after: fromMiddle() })),
  sent('before a cursor', () => ({ last: 20, before: fromMiddle() })),
  sent(
    'not read yet',
    () => ({}),
    () => ({ read: false }),
  ),
  sent(
    'read, after a cursor',
    () => ({ after: fromMiddle() }),
    () => ({ read: true }),
  ),
  {
    name: 'what was sent, by the number of a page',
    bounds: SENT_PAGE,
    run: () => services.sent.listPage(callerAt(crowd.senders.large), 2, 20),
  },
  { name: 'the head of receipts', bounds: ONE_ROW, run: (address) => services.receipts.head(senderOf(address)) },
  receipts('at the head', (version) => version),
  receipts('from the beginning', () => 0),
  receipts('from the middle', (version) => Math.floor(version / 2)),
  { name: 'numbering', bounds: RECEIPTS_PAGE, run: (address) => services.receipts.number([senderOf(address)]) },
  {
    name: 'the look for receipts without a version',
    bounds: LOOK_FOR_UNNUMBERED,
    run: () => services.receipts.unnumbered(),
  },
  {
    name: 'the heads of many inboxes together',
    bounds: { buffers: 5 * HEADS_TOGETHER, sorted: HEADS_TOGETHER },
    needs: 'more inboxes than are asked for together',
    run: () => services.log.heads(together(HEADS_TOGETHER)),
  },
  {
    name: 'the first pages of many inboxes together',
    bounds: { buffers: PAGES_TOGETHER * PAGE.buffers, sorted: PAGES_TOGETHER * PAGE.sorted },
    run: () =>
      Promise.all(
        together(PAGES_TOGETHER).map((one) => services.log.page(one, { filter: {}, order: 'newest', limit: 101 })),
      ),
  },
  {
    name: 'the changes of many inboxes together',
    bounds: { buffers: 30 * READERS_TOGETHER, sorted: 6 * READERS_TOGETHER },
    needs: 'more inboxes than are asked for together',
    run: () =>
      Promise.all(
        together(READERS_TOGETHER).map((one) => services.replays.after(one, head(additionsOf(one)) - 5).next()),
      ),
  },
];

async function statementsOf({ run }: Read, address: InboxAddress): Promise<Statement[]> {
  const statements = await recordStatements(() => run(address, additionsOf(address)));
  expect(statements).not.toEqual([]);
  return statements;
}

async function expectGoodPlans(statement: Statement, bounds: Bounds): Promise<void> {
  for (const mode of ['custom', 'generic'] satisfies PlanMode[]) {
    const faults = faultsOf(await explain(client, statement, { mode, scope: asTenant(TENANT, currentScope) }), bounds);
    if (faults.length > 0) throw new Error(`${mode} plan of ${statement.text}\n${faults.join('\n\n')}`);
  }
}

/** In this order: each state comes of the one before. */
const states: { state: string; lacks: readonly Need[]; prepare: () => Promise<unknown> }[] = [
  {
    state: 'that was never analyzed',
    lacks: ['statistics', 'more inboxes than are asked for together'],
    prepare: async () => {},
  },
  {
    state: 'of 550,000 rows',
    lacks: ['more inboxes than are asked for together'],
    prepare: () => admin.query('vacuum (analyze) notification, inbox, tombstone, receipt, sender_log'),
  },
  { state: 'that passes for fifty million rows', lacks: [], prepare: () => pretendRows(admin, 100) },
];

describe.each(states)('in a log $state', ({ lacks, prepare }) => {
  beforeAll(async () => {
    await prepare();
  });

  test.each(reads.filter(({ needs }) => needs === undefined || !lacks.includes(needs)))(
    '$name costs the same in a large inbox as in a small one',
    async (read) => {
      for (const address of addresses()) {
        for (const statement of await statementsOf(read, address)) await expectGoodPlans(statement, read.bounds);
      }
    },
  );
});
