import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DeleteNotificationDocument, MarkReadDocument } from '../../src/web/operations/generated.ts';
import { type Person, type TestApp, person, signToken, startApp } from '../support/app.ts';
import { type Sent, badInput, refusalOf, run, send } from './operations.ts';

const TOTAL = 45;

const LIST = `query ($first: Int, $after: String, $last: Int, $before: String, $filter: SentFilter) {
  sentNotifications(first: $first, after: $after, last: $last, before: $before, filter: $filter) {
    cursor
    edges { cursor node { id } }
    nodes {
      id recipientId type priority channel status title content link data relatedType relatedId isRead readAt createdAt
    }
    pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  }
}`;

interface Connection {
  cursor: string;
  edges: { cursor: string; node: { id: string } }[];
  nodes: (Omit<Sent, 'cursor'> & { id: string })[];
  pageInfo: { hasNextPage: boolean; hasPreviousPage: boolean; startCursor: string | null; endCursor: string | null };
}

let app: TestApp;
/** Sent `TOTAL` to three people and to oneself, which no test changes. */
let sender: Person;
let recipients: Person[];
/** The ids, which are in order of creation. */
let newestFirst: string[];

beforeAll(async () => {
  app = await startApp();
  sender = person();
  recipients = [person(), person(), person(), sender];
  const sent: Sent[] = [];
  for (let n = 0; n < TOTAL; n += 1) sent.push(await send(app, sender, { recipientId: recipients[n % 4]!.id }));
  newestFirst = sent
    .map(({ id }) => id)
    .toSorted()
    .toReversed();
});
afterAll(async () => app[Symbol.asyncDispose]());

const ask = (who: Person, variables: Record<string, unknown> = {}) =>
  app.graphql(LIST, { token: who.token, variables });

async function list(who: Person, variables: Record<string, unknown> = {}): Promise<Connection> {
  const { data, errors } = await ask(who, variables);
  if (errors) throw new Error(JSON.stringify(errors));
  return data.sentNotifications;
}

const idsIn = ({ edges }: Connection): string[] => edges.map(({ node }) => node.id);
const shapeOf = ({ edges, pageInfo }: Connection) => [edges.length, pageInfo.hasNextPage, pageInfo.hasPreviousPage];

describe('what somebody sent', () => {
  test('is read through from page to page, newest first, each notification once, in both directions', async () => {
    const pages: Connection[] = [];
    for (let after: string | null = null; ; ) {
      const page: Connection = await list(sender, { first: 20, after });
      pages.push(page);
      after = page.pageInfo.endCursor;
      if (!page.pageInfo.hasNextPage) break;
    }
    expect(pages.map(shapeOf)).toEqual([
      [20, true, false],
      [20, true, true],
      [5, false, true],
    ]);
    expect(pages.flatMap(idsIn)).toEqual(newestFirst);

    const back: Connection[] = [];
    for (let before: string | null = null; ; ) {
      const page: Connection = await list(sender, { last: 20, before });
      back.unshift(page);
      before = page.pageInfo.startCursor;
      if (!page.pageInfo.hasPreviousPage) break;
    }
    expect(back.map(shapeOf)).toEqual([
      [5, true, false],
      [20, true, true],
      [20, false, true],
    ]);
    expect(back.flatMap(idsIn)).toEqual(newestFirst);
  });

  test.each<[Record<string, unknown>, unknown[]]>([
    [{}, [20, true, false]],
    [{ first: 45 }, [45, false, false]],
    [{ first: 100 }, [45, false, false]],
    [{ last: 44 }, [44, false, true]],
  ])('%j of 45 is told apart from its neighbours', async (variables, shape) => {
    expect(shapeOf(await list(sender, variables))).toEqual(shape);
  });

  test('after and before together cut out what lies between', async () => {
    const { edges } = await list(sender, { first: 45 });
    const [after, before] = [edges[30]!.cursor, edges[40]!.cursor];
    expect(idsIn(await list(sender, { first: 20, after, before }))).toEqual(newestFirst.slice(31, 40));
    expect(idsIn(await list(sender, { last: 3, after, before }))).toEqual(newestFirst.slice(37, 40));
  });

  test('is listed by whether it was read', async () => {
    expect(idsIn(await list(sender, { filter: { read: true } }))).toEqual([]);
    expect(idsIn(await list(sender, { first: 45, filter: { read: false } }))).toEqual(newestFirst);
    expect(idsIn(await list(sender, { first: 45, filter: { read: null } }))).toEqual(newestFirst);
  });

  test('shows what was sent, and when it was read', async () => {
    const [me, reader] = [person(), person()];
    const content = {
      type: 'TASK',
      priority: 'HIGH',
      title: 'A title',
      content: 'Some content',
      link: '/x',
      data: { a: [1] },
      relatedType: 'order',
      relatedId: '7',
    } as const;
    const sent = await send(app, me, { ...content, recipientId: reader.id });
    const [before] = (await list(me)).nodes;
    const same = { ...content, id: sent.id, recipientId: reader.id, channel: 'IN_APP', createdAt: sent.createdAt };
    expect(before).toEqual({ ...same, status: 'SENT', isRead: false, readAt: null });
    const { markRead } = await run(app, reader, MarkReadDocument, { id: sent.id });
    const [after] = (await list(me, { filter: { read: true } })).nodes;
    expect(after).toEqual({ ...same, status: 'READ', isRead: true, readAt: markRead.readAt });
    expect(idsIn(await list(me, { filter: { read: false } }))).toEqual([]);
  });

  test('does not hold what its recipient deleted, whose cursor still marks its place', async () => {
    const [me, reader] = [person(), person()];
    const sent: string[] = [];
    for (let n = 0; n < 3; n += 1) sent.push((await send(app, me, { recipientId: reader.id })).id);
    const { edges } = await list(me);
    await run(app, reader, DeleteNotificationDocument, { id: edges[1]!.node.id });
    expect(idsIn(await list(me))).toEqual([edges[0]!.node.id, edges[2]!.node.id]);
    expect(idsIn(await list(me, { after: edges[1]!.cursor }))).toEqual([edges[2]!.node.id]);
    expect(shapeOf(await list(me, { last: 1, before: edges[1]!.cursor }))).toEqual([1, true, false]);
  });

  test('is nobody else’s: not the recipient’s, nor that of the same user in another tenant', async () => {
    const namesake = { ...sender, token: signToken({ user_id: sender.id, tenant_id: 'globex' }) };
    for (const stranger of [recipients[0]!, namesake]) {
      expect(idsIn(await list(stranger))).toEqual([]);
    }
  });
});

describe('bad input is refused, by the name of its field', () => {
  test.each<[Record<string, unknown>, string]>([
    [{ first: 0 }, 'first'],
    [{ first: 101 }, 'first'],
    [{ last: -1 }, 'last'],
    [{ first: 1, last: 1 }, 'last'],
    [{ after: '' }, 'after'],
    [{ after: 'x' }, 'after'],
    [{ before: '-----------0' }, 'before'],
  ])('%j', async (variables, field) => {
    expect(refusalOf(await ask(sender, variables))).toEqual(badInput(field));
  });

  test('cursors of inboxes, of receipts and of other senders are not of this list, and those of this list of no inbox', async () => {
    const { edges, cursor } = await list(sender, { first: 1 });
    const other = person();
    const own = await send(app, other);
    const theirs = (await list(other)).edges[0]!.cursor;
    for (const after of [own.cursor, theirs, cursor]) {
      expect(refusalOf(await ask(sender, { after }))).toEqual(badInput('after'));
    }
    const query = 'query ($after: String) { notifications(after: $after) { nodes { id } } }';
    const variables = { after: edges[0]!.cursor };
    expect(refusalOf(await app.graphql(query, { token: sender.token, variables }))).toEqual(badInput('after'));
  });
});
