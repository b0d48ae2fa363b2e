import { randomUUID } from 'node:crypto';
import type { Person } from '../../support/app.ts';
import { type Asked, get, graphql, markMany, markOne, recall, remove, resume, send, type as typeTo } from '../doors.ts';
import { type Door, type Heard, type Input, type Verdict, doors } from '../input.ts';
import { type Stage, mallory, personOf, vera } from '../stage.ts';

type On = Input['on'];

/** Everybody who is not vera, and might be taken for her. */
const strangers: [string, Person][] = [
  ['another user', mallory],
  ['an admin', personOf('anna', 'acme', { roles: ['admin'] })],
  ['a sender', personOf('sam', 'acme', { roles: ['sender'] })],
  ['her id in another tenant', personOf(vera.id, 'globex')],
  ['an admin of another tenant', personOf('anna', 'globex', { roles: ['admin'] })],
  ['ids that read the same when joined', personOf('evera', 'acm')],
  ['a tenant with a separator', personOf('vera', 'acme:')],
  ['her id in capitals', personOf('VERA')],
  ['her id with a space', personOf('vera ')],
  ['her id with a wildcard', personOf('%')],
  ['claims of a role that counts for nothing', personOf('mallory2', 'acme', { role: 'admin', admin: true })],
];

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;
const told = ({ text }: Heard): string =>
  text
    .replaceAll(UUID, '<id>')
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT/g, '<time>')
    .replace(/"id":"\d+"/, '<operation>');

/** What is asked for hers must be told in the same words as for what is nobody's. */
function hidden(name: string, verdict: Verdict, act: (id: string) => On, idOf: (stage: Stage) => string): Input {
  const on: Partial<Record<Door, (stage: Stage) => Promise<Heard>>> = {};
  for (const door of doors) {
    if (!act('')[door]) continue;
    on[door] = async (stage) => {
      const [hers, nobodys] = [idOf(stage), randomUUID()];
      const heard = (await act(hers)[door]?.(stage)) as Heard;
      const missing = (await act(nobodys)[door]?.(stage)) as Heard;
      if (told(heard) !== told(missing)) throw new Error(`tells them apart: ${told(heard)} / ${told(missing)}`);
      return heard;
    };
  }
  return { name, verdict, on };
}

const ofId =
  (field: string, returns: string, root = 'mutation', argument = 'id') =>
  (id: string): Asked => ({
    query: `${root} ($id: ID!) { ${field}(${argument}: ${argument === 'ids' ? '[$id]' : '$id'}) ${returns} }`,
    variables: { id },
  });
const veraId = ({ veraId: id }: Stage): string => id;

/** Admins may recall and cancel what others of their tenant sent, and keep their addresses: there they are no strangers. */
const isAdminOfHers = ({ tenantId, token }: Person): boolean =>
  tenantId === vera.tenantId && token === strangers[1]?.[1].token;

const ofHers = ([who, person]: [string, Person]): Input[] => [
  hidden(`${who}: get`, 'NOT_FOUND', (id) => get(id, person), veraId),
  hidden(`${who}: get in capitals`, 'NOT_FOUND', (id) => get(id.toUpperCase(), person), veraId),
  hidden(`${who}: mark as read`, 'NOT_FOUND', (id) => markOne(id, person), veraId),
  hidden(`${who}: mark as unread`, 'NOT_FOUND', (id) => graphql(ofId('markUnread', '{ id }')(id), person), veraId),
  hidden(`${who}: mark among many`, 'OK', (id) => markMany([id, id.toUpperCase()], person), veraId),
  hidden(`${who}: delete`, 'NOT_FOUND', (id) => remove(id, person), veraId),
  ...(isAdminOfHers(person)
    ? []
    : [
        hidden(`${who}: recall`, 'NOT_FOUND', (id) => recall(id, person), veraId),
        hidden(
          `${who}: recall among many`,
          'OK',
          (id) => graphql(ofId('recallMany', '{ count ids }', 'mutation', 'ids')(id), person),
          veraId,
        ),
        hidden(
          `${who}: cancel what is scheduled`,
          'NOT_FOUND',
          (id) => graphql(ofId('cancelScheduled', '{ id }')(id), person),
          ({ veraScheduledId }) => veraScheduledId,
        ),
        hidden(
          `${who}: remove an address`,
          'NOT_FOUND',
          (id) => graphql(ofId('removeContact', '{ id }')(id), person),
          ({ veraContactId }) => veraContactId,
        ),
      ]),
];

/** Hers as a cursor, in the places where one of her inbox leads. Stage hands it in. */
const withCursor = (name: string, act: (cursor: string) => On): Input => {
  const on: Partial<Record<Door, (stage: Stage) => Promise<Heard>>> = {};
  for (const door of doors) {
    if (act('')[door]) on[door] = async (stage) => (await act(stage.veraCursor)[door]?.(stage)) as Heard;
  }
  return { name, verdict: 'BAD_USER_INPUT', on };
};

const byCursor = ([who, person]: [string, Person]): Input[] => [
  withCursor(`${who}: come back with her cursor`, (cursor) => resume(cursor, person)),
  withCursor(`${who}: page after her cursor`, (after) =>
    graphql(
      { query: 'query ($after: String) { notifications(after: $after) { totalCount } }', variables: { after } },
      person,
    ),
  ),
  withCursor(`${who}: mark all up to her cursor`, (upTo) =>
    graphql({ query: 'mutation ($upTo: String) { markAllRead(upTo: $upTo) { count } }', variables: { upTo } }, person),
  ),
];

const asks = (query: string, verdict: Verdict, who = mallory): Input => ({
  name: query,
  verdict,
  on: graphql({ query }, who),
});

/** What needs a role, asked without it. */
const forbidden: readonly Input[] = [
  asks('{ stats { onlineUsers } }', 'FORBIDDEN'),
  asks('{ onlineUsers { nodes { userId } } }', 'FORBIDDEN'),
  asks('{ contacts(userId: "vera") { address } }', 'FORBIDDEN'),
  asks('{ contacts(userId: "nobody at all") { address } }', 'FORBIDDEN'),
  asks('mutation { addContact(channel: WEBHOOK, address: "https://example.com/") { secret } }', 'FORBIDDEN'),
  {
    name: 'send to another',
    verdict: 'FORBIDDEN',
    on: send({ title: 't', content: 'c', recipientId: 'vera' }, mallory),
  },
  { name: 'send to nobody', verdict: 'FORBIDDEN', on: send({ title: 't', content: 'c', recipientId: 'n/a' }, mallory) },
  {
    name: 'send to the own id in capitals',
    verdict: 'FORBIDDEN',
    on: send({ title: 't', content: 'c', recipientId: 'MALLORY' }, mallory),
  },
  {
    name: 'send to the own id and a space',
    verdict: 'FORBIDDEN',
    on: send({ title: 't', content: 'c', recipientId: 'mallory ' }, mallory),
  },
  ...['sender ', 'SENDER', 'admin,sender', '__proto__', 'constructor', '*'].map(
    (role): Input => ({
      name: `send to another with the role ${role}`,
      verdict: 'FORBIDDEN',
      on: send({ title: 't', content: 'c', recipientId: 'vera' }, personOf('rolf', 'acme', { roles: [role] })),
    }),
  ),
  {
    name: 'send to an address of ones own choice',
    verdict: 'FORBIDDEN',
    on: send(
      {
        title: 't',
        content: 'c',
        channels: ['WEBHOOK'],
        addresses: [{ channel: 'WEBHOOK', address: 'https://example.com' }],
      },
      mallory,
    ),
  },
];

/** Whoever is of another tenant is nobody here, whatever is asked of them. */
const nobodies: readonly Input[] = [
  asks('{ isOnline(userIds: ["vera"]) { online connections lastSeenAt } }', 'OK', personOf('eve', 'globex')),
  { name: 'type to a user of another tenant', verdict: 'OK', on: typeTo('vera', 'c', true, personOf('eve', 'globex')) },
  {
    name: 'type to somebody whom nobody knows',
    verdict: 'OK',
    on: typeTo(randomUUID(), 'c', true, personOf('eve2', 'globex')),
  },
];

export const authorization: readonly Input[] = [
  ...strangers.flatMap(ofHers),
  ...strangers.flatMap(byCursor),
  ...forbidden,
  ...nobodies,
];
