import { Agent } from 'node:http';
import { eventStreamDevice, graphqlSocketDevice } from '../cluster/devices.ts';
import { BEGINNING, connectGraphQL, connectLegacy } from '../sockets/connect.ts';
import { askOn } from './doors.ts';
import type { Stage } from './stage.ts';
import { personOf } from './stage.ts';
import { exchange } from './wire.ts';

export interface Witnesses extends AsyncDisposable {
  /** What was sent so far, oldest first. */
  readonly sent: readonly string[];
  /**
   * One notification that is sent, heard by all who listen, asked for, marked as read, and heard of again.
   *
   * @throws when anything of that is missing, comes twice, or comes in another order.
   */
  beat(): Promise<void>;
}

const SEND = 'mutation { send(input: { title: "Beat", content: "Still here" }) { id } }';

const FIND = 'query ($id: ID!) { notification(id: $id) { isRead } unreadCount }';

/** A good client on each door, all of one person, who go on while others attack. */
export async function callWitnesses({ app }: Stage): Promise<Witnesses> {
  await using resources = new AsyncDisposableStack();
  const who = personOf('wilma');
  const authorization = `Bearer ${who.token}`;
  const agent = resources.adopt(new Agent({ keepAlive: true }), (one) => one.destroy());
  const legacy = resources.use(await connectLegacy(app, who));
  const graphql = resources.use(await connectGraphQL(app, who));
  const devices = [
    resources.use(await graphqlSocketDevice(app, who, BEGINNING)),
    resources.use(await eventStreamDevice(app, who, BEGINNING)),
  ];
  const sent: string[] = [];
  const owned = resources.move();

  const expectTold = async (type: string, ids: readonly string[]): Promise<void> => {
    const told = await legacy.next();
    const about = told['notification_ids'] ?? [told['notification']?.id];
    if (told['type'] !== type || String(about) !== String(ids)) throw new Error(`not ${type}: ${JSON.stringify(told)}`);
  };

  const mark = async (id: string): Promise<void> => {
    const path = `/api/v1/notifications/${id}/read`;
    const { status, text } = await exchange(agent, app.url, { method: 'PUT', path, headers: { authorization } });
    if (status !== 200) throw new Error(`not marked: ${text}`);
  };

  return {
    sent,
    async beat() {
      const { data, errors } = await app.graphql(SEND, { token: who.token });
      if (errors) throw new Error(`not sent: ${JSON.stringify(errors)}`);
      const { id } = data.send as { id: string };
      sent.push(id);
      await expectTold('notification', [id]);
      for (const { added } of devices) {
        const all = await added.count(sent.length);
        if (all.length !== sent.length || all.at(-1) !== id) throw new Error('an event is missing, or came twice');
      }
      const { text } = await askOn(graphql, { query: FIND, variables: { id } });
      if (!text.includes('{"notification":{"isRead":false},"unreadCount":1}')) throw new Error(`not there: ${text}`);
      await mark(id);
      await expectTold('read', [id]);
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
