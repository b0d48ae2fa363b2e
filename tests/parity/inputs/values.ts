import {
  byMessage,
  byRest,
  get,
  graphql,
  markMany,
  markOne,
  recall,
  remove,
  resume,
  type as typeTo,
} from '../doors.ts';
import { type Input, type Verdict, named } from '../input.ts';
import { mallory, personOf } from '../stage.ts';

/** Ids that nothing can have. */
const NO_IDS: readonly string[] = [
  'x',
  '0',
  '-1',
  'null',
  'undefined',
  'read',
  'unread-count',
  'sent',
  '__proto__',
  'a\0b',
  '\u202e',
  "' OR 1=1 --",
  '%',
  '*',
  '..%2f',
  '00000000-0000-0000-0000-000000000000',
  '{00000000-0000-0000-0000-000000000000}',
  '00000000000000000000000000000000',
  'urn:uuid:00000000-0000-0000-0000-000000000000',
  '00000000-0000-0000-0000-00000000000g',
  '00000000-0000-0000-0000-000000000000\n',
  ' 00000000-0000-0000-0000-000000000000',
  'ffffffff-ffff-ffff-ffff-ffffffffffff',
  '１0000000-0000-0000-0000-000000000000',
  'x'.repeat(5000),
];

/** Names of REST's own addresses: there they are no ids. */
const ROUTES = new Set(['read', 'unread-count', 'sent']);

const ofNoId = (id: string): Input[] => {
  const all: [string, Input['on']][] = [
    ['get', get(id, mallory)],
    ['mark', markOne(id, mallory)],
    ['delete', remove(id, mallory)],
    ['recall', recall(id, mallory)],
  ];
  return all.map(([name, on]) => ({
    name: named(name, id),
    verdict: 'NOT_FOUND',
    on: ROUTES.has(id) ? { graphql: on.graphql, graphql_ws: on.graphql_ws } : on,
  })) as Input[];
};

const many = (ids: unknown, verdict: Input['verdict']): Input => ({
  name: named('mark many', ids),
  verdict,
  on: markMany(ids, mallory),
});

const CURSORS: readonly string[] = [
  '',
  '0',
  'x',
  'null',
  '-----------',
  '-----------1',
  '-----------00',
  '-----------01',
  '-----------zzzzzzzzzz',
  '-----------zzzzzzzzzzz',
  'AAAAAAAAAAA1',
  'AAAAAAAAAAAzzzzzzzzzz',
  'AAAAAAAAAAA-1',
  'AAAAAAAAAAA1.5',
  'AAAAAAAAAAA1 ',
  ' AAAAAAAAAAA1',
  'AAAAAAAAAAA\0',
  'AAAAAAAAAAA1\n',
  'AAAAAAAAAA+1',
  'AAAAAAAAAA/1',
  '\u212aAAAAAAAAAA1',
  'YXJyYXljb25uZWN0aW9uOjA=',
  "AAAAAAAAAAA1' OR '1'='1",
  '__proto__',
  'constructor0',
  'A'.repeat(4000),
];

/** A garbled cursor is told on every door; so is one of another inbox, or of no inbox. */
const byCursor = (cursor: string): Input[] => [
  { name: named('come back with', cursor), verdict: 'BAD_USER_INPUT', on: resume(cursor, mallory) },
  ...['after', 'before'].map(
    (side): Input => ({
      name: named('page', side, cursor),
      verdict: 'BAD_USER_INPUT',
      on: graphql(
        { query: `query ($c: String) { notifications(${side}: $c) { totalCount } }`, variables: { c: cursor } },
        mallory,
      ),
    }),
  ),
];

const typing = (to: unknown, conversation: unknown, isTyping: unknown, verdict: Verdict): Input => ({
  name: named('type', to, conversation, isTyping),
  verdict,
  on: typeTo(to, conversation, isTyping, mallory),
});

const page = (query: string, verdict: Verdict): Input => ({
  name: `list ?${query}`.slice(0, 100),
  verdict,
  on: { rest: byRest({ path: `/api/v1/notifications?${query}` }, mallory) },
});

export const values: readonly Input[] = [
  ...NO_IDS.flatMap(ofNoId),
  ...[[], null, undefined, 'x'.repeat(9), {}, [null], [{}], [['x']], [true], [1.5]].map((ids) =>
    // A single value is a list of one to GraphQL.
    many(
      ids,
      typeof ids === 'string'
        ? { graphql: 'OK', graphql_ws: 'OK', rest: 'BAD_USER_INPUT', legacy_ws: 'BAD_USER_INPUT' }
        : 'BAD_USER_INPUT',
    ),
  ),
  many([7], { graphql: 'OK', graphql_ws: 'OK', rest: 'BAD_USER_INPUT', legacy_ws: 'BAD_USER_INPUT' }),
  many(
    Array.from({ length: 1001 }, () => 'x'),
    'BAD_USER_INPUT',
  ),
  many(
    Array.from({ length: 1000 }, () => 'x'),
    'OK',
  ),
  ...NO_IDS.map((id) => many([id], 'OK')),
  ...CURSORS.flatMap(byCursor),
  ...[1, null, {}, [], true].map(
    (after): Input => ({
      name: named('come back with', after),
      verdict: after === null ? 'OK' : 'BAD_USER_INPUT',
      on: graphql(
        { query: 'query ($after: String) { notifications(after: $after) { totalCount } }', variables: { after } },
        mallory,
      ),
    }),
  ),
  ...['', '\0', '\ud800', 'x'.repeat(129), null, {}, [[]], true].flatMap((wrong) => [
    typing(wrong, 'c', true, 'BAD_USER_INPUT'),
    typing('mallory', wrong, true, 'BAD_USER_INPUT'),
  ]),
  ...['true', 1, null, [], {}].map((wrong) => typing('mallory', 'c', wrong, 'BAD_USER_INPUT')),
  {
    name: 'more typing than anybody types',
    verdict: 'OK',
    on: {
      async legacy_ws(stage) {
        const tina = personOf('tina');
        const verdicts = new Set<string>();
        for (let nth = 0; nth < 30; nth += 1) {
          const change = byMessage({ type: 'typing', to: 'tina', conversation_id: `${nth}`, typing: true }, tina);
          verdicts.add((await change(stage)).verdict);
        }
        if (!verdicts.has('RATE_LIMITED')) throw new Error(`never limited: ${[...verdicts].join()}`);
        return { verdict: 'OK', text: '' };
      },
    },
  },
  ...[
    'page=0',
    'page=-1',
    'page=1.5',
    'page=1e3',
    'page=0x10',
    'page=1000001',
    `page=${'9'.repeat(40)}`,
    'page=%00',
    'page=1&page=2',
    'page[]=1',
    'page[a]=1'.replace('[a]', '%5Ba%5D&page=x'),
    'page_size=0',
    'page_size=101',
    'page_size=all',
    'only_unread=2',
    'only_unread=yes',
    'type=SYSTEM',
    'type=__proto__',
    'type=system%00',
    'type=system&type=task',
    'pageSize=1000',
    'onlyUnread=maybe',
  ].map((query) => page(query, query === 'page[]=1' ? 'OK' : 'BAD_USER_INPUT')),
  ...[
    '',
    '&',
    '&&&=',
    'page=',
    '__proto__=1',
    'constructor=1&toString=2',
    'user_id=vera',
    'tenant_id=globex',
    '%',
    '%ff=%fe',
    `x=${'y'.repeat(8000)}`,
  ].map((query) => page(query, 'OK')),
];
