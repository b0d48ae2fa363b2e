import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import type { InboxOptions } from '../../packages/client/src/index.ts';
import { type Link, openLink } from '../../torture/proxy.ts';
import { sendTo } from '../sockets/connect.ts';
import { type Person, type TestApp, expiresSoon, person, signToken, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { withClient } from '../support/postgres.ts';
import { connectInbox, openInbox } from './support.ts';

let app: TestApp;
let link: Link;
let ada: Person;
let resources: DisposableStack;

beforeAll(async () => {
  app = await startApp();
  link = await openLink(Number(new URL(app.url).port));
});
afterAll(async () => {
  await link[Symbol.asyncDispose]();
  await app[Symbol.asyncDispose]();
});
beforeEach(() => {
  ada = person();
  resources = new DisposableStack();
});
afterEach(() => {
  link.heal();
  resources.dispose();
});

const options = (more: Partial<InboxOptions> = {}): InboxOptions => ({ url: app.url, token: ada.token, ...more });
const throughLink = (): InboxOptions => options({ url: `http://127.0.0.1:${link.port}` });
const connect = async (given = options()) => resources.use(await connectInbox(given));
const send = (title: string) => sendTo(app, ada, { title });
const sendMany = async (count: number) => {
  for (let nth = 1; nth <= count; nth += 1) await send(`${nth}`);
};

/** Breaks every connection, and whatever is made meanwhile, until the requests on them have failed. */
async function expectUnreachable(...requests: Promise<unknown>[]): Promise<void> {
  link.hold('up');
  let failed: PromiseSettledResult<unknown>[] | undefined;
  void Promise.allSettled(requests).then((results) => (failed = results));
  await eventually(() => {
    link.cut();
    return failed;
  });
  link.heal();
  for (const request of requests) await expect(request).rejects.toMatchObject({ code: 'UNREACHABLE' });
}

describe('a connected inbox', () => {
  test('begins with the newest page and the counts of the whole inbox', async () => {
    await sendMany(5);
    const inbox = await connect(options({ pageSize: 3 }));
    expect(inbox.titles()).toEqual(['5', '4', '3']);
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 5, totalCount: 5, hasMore: true, error: null });
  });

  test('shows what comes, and what other devices do, as it happens', async () => {
    await send('first');
    const [inbox, other] = [await connect(), await connect()];
    const added: string[] = [];
    inbox.onAdded(({ title }) => added.push(title));
    const { id } = await send('second');
    await inbox.until(({ totalCount }) => totalCount === 2);
    expect(inbox.titles()).toEqual(['second', 'first']);
    expect(added).toEqual(['second']);
    await other.markRead(id);
    expect((await inbox.until(({ unreadCount }) => unreadCount === 1)).items[0]).toMatchObject({ isRead: true });
    await other.markUnread(id);
    expect((await inbox.until(({ unreadCount }) => unreadCount === 2)).items[0]).toMatchObject({ isRead: false });
    await other.markAllRead();
    await inbox.until(({ unreadCount }) => unreadCount === 0);
    await other.delete(id);
    await inbox.until(({ totalCount }) => totalCount === 1);
    expect(inbox.titles()).toEqual(['first']);
  });

  test('tells of changes that come in a rush together, and leaves none out', async () => {
    const inbox = await connect(throughLink());
    await send('first');
    await inbox.until(({ totalCount }) => totalCount === 1);
    const added: string[] = [];
    let told = 0;
    inbox.onAdded(({ title }) => added.push(title));
    inbox.subscribe(() => (told += 1));
    link.hold('down');
    await sendMany(100);
    link.release('down');
    await inbox.until(({ totalCount }) => totalCount === 101);
    expect(added).toHaveLength(100);
    expect(told).toBeLessThan(50);
  });

  test('sends, to itself as well', async () => {
    const inbox = await connect();
    const sent = await inbox.send({ title: 'Hello', content: 'World', priority: 'HIGH', data: { a: 1 } });
    const { items } = await inbox.until(({ totalCount }) => totalCount === 1);
    expect(items).toEqual([sent]);
  });

  test('sends once under one idempotency key, however often it is asked to', async () => {
    const inbox = await connect();
    const input = { title: 'Once', content: 'C', idempotencyKey: 'once' };
    const [first, second] = [await inbox.send(input), await inbox.send(input)];
    expect(second.id).toBe(first.id);
    await expect(inbox.send({ ...input, title: 'Other' })).rejects.toMatchObject({ code: 'CONFLICT' });
  });

  test('asks anything else of the schema as the same user', async () => {
    const inbox = await connect();
    await expect(
      inbox.request('query ($ids: [ID!]!) { isOnline(userIds: $ids) { online } }', { ids: ['x'] }),
    ).resolves.toEqual({ isOnline: [{ online: false }] });
  });
});

describe('older pages', () => {
  test('come without a hole or a repetition, whatever happens meanwhile', async () => {
    await sendMany(250);
    const inbox = await connect();
    const doomed = inbox.getSnapshot().items.at(-1)!.id;
    while (inbox.getSnapshot().hasMore) await Promise.all([inbox.loadMore(), send('new')]);
    await inbox.delete(doomed);
    const expected = [...Array.from({ length: 250 }, (_, nth) => `${nth + 1}`).filter((title) => title !== '231')];
    await inbox.until(({ totalCount }) => totalCount === 252);
    expect(inbox.titles().filter((title) => title !== 'new')).toEqual(expected.toReversed());
    expect(inbox.titles()).toHaveLength(252);
  });

  test('that do not come leave everything as it was, and can be asked for again', async () => {
    await sendMany(30);
    const inbox = await connect(throughLink());
    link.hold('up');
    const loading = inbox.loadMore();
    expect(inbox.getSnapshot().isLoadingMore).toBe(true);
    await expectUnreachable(loading);
    expect(inbox.getSnapshot()).toMatchObject({ isLoadingMore: false, hasMore: true });
    await inbox.loadMore();
    expect(inbox.titles()).toHaveLength(30);
    expect(inbox.getSnapshot().hasMore).toBe(false);
  });
});

describe('a change', () => {
  test('is shown before the server has answered', async () => {
    await sendMany(3);
    const inbox = await connect(throughLink());
    const [third, second] = inbox.getSnapshot().items.map(({ id }) => id) as [string, string];
    link.hold('up');
    const changes = [inbox.markRead(third), inbox.delete(second)];
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 1, totalCount: 2 });
    expect(inbox.getSnapshot().items.map(({ title, isRead }) => [title, isRead])).toEqual([
      ['3', true],
      ['1', false],
    ]);
    link.release('up');
    await Promise.all(changes);
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 1, totalCount: 2 });
  });

  test('is taken back when the server cannot be reached', async () => {
    await sendMany(2);
    const inbox = await connect(throughLink());
    const before = inbox.getSnapshot();
    link.hold('up');
    const changes = [inbox.markAllRead(), inbox.delete(before.items[0]!.id)];
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 0, totalCount: 1 });
    await expectUnreachable(...changes);
    expect(inbox.getSnapshot().items).toEqual(before.items);
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 2, totalCount: 2 });
  });

  test('is taken back when the server refuses it', async () => {
    const inbox = await connect();
    await expect(inbox.markRead('00000000-0000-7000-8000-000000000000')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 0, totalCount: 0 });
  });

  test('that marks all as read leaves what comes meanwhile unread', async () => {
    const inbox = await connect(throughLink());
    await sendMany(2);
    await inbox.until(({ totalCount }) => totalCount === 2);
    link.hold('up');
    const change = inbox.markAllRead();
    await send('late');
    const { items, unreadCount } = await inbox.until(({ totalCount }) => totalCount === 3);
    expect([items.map(({ isRead }) => isRead), unreadCount]).toEqual([[false, true, true], 1]);
    link.release('up');
    await change;
    const after = await inbox.until((snapshot) => snapshot.unreadCount === 1);
    expect(after.items.map(({ isRead }) => isRead)).toEqual([false, true, true]);
  });
});

describe('a lost connection', () => {
  test('is told, and made good without a hole', async () => {
    await send('before');
    const inbox = await connect(throughLink());
    const { id } = await send('doomed');
    await inbox.until(({ totalCount }) => totalCount === 2);
    const added: string[] = [];
    inbox.onAdded(({ title }) => added.push(title));
    link.cut();
    const { retryAt, error } = await inbox.until(({ status }) => status === 'offline');
    expect(error).toMatchObject({ code: 'UNREACHABLE' });
    expect(retryAt).toBeGreaterThan(Date.now() - 1000);
    await send('while away');
    await app.graphql('mutation ($id: ID!) { delete(id: $id) { id } }', { token: ada.token, variables: { id } });
    inbox.connect();
    await inbox.until(({ status, totalCount }) => status === 'live' && totalCount === 2);
    await inbox.until(({ items }) => items.length === 2 && items.every(({ title }) => title !== 'doomed'));
    expect(inbox.titles()).toEqual(['while away', 'before']);
    expect(added).toEqual(['while away']);
    expect(inbox.getSnapshot()).toMatchObject({ error: null, retryAt: null, unreadCount: 2 });
  });

  test('keeps what was changed meanwhile by another way', async () => {
    await sendMany(2);
    const inbox = await connect(throughLink());
    const [newest] = inbox.getSnapshot().items;
    // The socket alone is silent.
    link.hold('down');
    const change = inbox.markRead(newest!.id);
    link.release('down');
    await change;
    link.cut();
    await inbox.until(({ status }) => status === 'offline');
    inbox.connect();
    await inbox.until(({ status }) => status === 'live');
    await send('last');
    const { items, unreadCount } = await inbox.until(({ totalCount }) => totalCount === 3);
    expect([items.map(({ isRead }) => isRead), unreadCount]).toEqual([[false, true, false], 2]);
  });

  test('of an inbox that began anew shows the new one', async () => {
    await sendMany(2);
    const inbox = await connect(throughLink());
    link.cut();
    await inbox.until(({ status }) => status === 'offline');
    await withClient(app.databaseUrl, async (client) => {
      await client.query('delete from notification where inbox_id = (select id from inbox where user_id = $1)', [
        ada.id,
      ]);
      await client.query('delete from inbox where user_id = $1', [ada.id]);
    });
    await send('anew');
    inbox.connect();
    await inbox.until(({ items }) => items[0]?.title === 'anew');
    expect(inbox.getSnapshot()).toMatchObject({ unreadCount: 1, totalCount: 1, items: [{ title: 'anew' }] });
    await send('later');
    await inbox.until(({ totalCount }) => totalCount === 2);
  });

  test('is not made again once it was ended on purpose, until it is asked for', async () => {
    const inbox = await connect();
    inbox.disconnect();
    expect(inbox.getSnapshot()).toMatchObject({ status: 'idle', isLoading: false });
    await send('unseen');
    inbox.connect();
    await inbox.until(({ totalCount }) => totalCount === 1);
  });
});

describe('a token', () => {
  test('that expires is asked for again', async () => {
    const asked: boolean[] = [];
    const tokens = [signToken({ user_id: ada.id, tenant_id: ada.tenantId, exp: expiresSoon() }), ada.token];
    const inbox = await connect(
      options({
        token: ({ refused }) => {
          asked.push(refused);
          return tokens.at(asked.includes(true) ? 1 : 0)!;
        },
      }),
    );
    await inbox.until(({ status }) => status === 'offline');
    inbox.connect();
    await inbox.until(({ status }) => status === 'live');
    await send('after');
    await inbox.until(({ totalCount }) => totalCount === 1);
    expect(asked).toEqual([false, true]);
  });

  test('that is refused by a request is asked for once more', async () => {
    const asked: boolean[] = [];
    const inbox = resources.use(
      openInbox(options({ token: ({ refused }) => (asked.push(refused), refused ? ada.token : 'stale') })),
    );
    await inbox.send({ title: 'T', content: 'C' });
    expect(asked).toEqual([false, true]);
  });

  test('that there is none of is an error to be seen, and no end of trying', async () => {
    let isSignedIn = false;
    const token = (): string => {
      if (!isSignedIn) throw new Error('signed out');
      return ada.token;
    };
    const inbox = resources.use(openInbox(options({ token })));
    inbox.connect();
    const { error, isLoading } = await inbox.until(({ status }) => status === 'offline');
    expect({ error, isLoading }).toMatchObject({ error: { code: 'UNAUTHENTICATED' }, isLoading: true });
    await expect(inbox.send({ title: 'T', content: 'C' })).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    isSignedIn = true;
    inbox.connect();
    await inbox.until(({ status }) => status === 'live');
  });
});

test('the url of the server is needed where there is no page', () => {
  expect(() => openInbox({ token: 'T' })).toThrow('needs the url');
});
