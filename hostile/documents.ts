const times = (count: number, make: (nth: number) => string): string =>
  Array.from({ length: count }, (_, nth) => make(nth)).join(' ');

/** Each fragment spreads the next one twice. */
const doubling = (count: number): string =>
  `{ ...F0 } ${times(count, (n) => `fragment F${n} on Query { ${n === count - 1 ? 'unreadCount' : `...F${n + 1} ...F${n + 1}`} }`)}`;

let numbers = 0;

/** Documents that ask for too much, or are none; each is new, so that nothing remembers it. */
export const documents: readonly (() => string)[] = [
  () => `{ ${times(4000, (n) => `a${n}`)} }`,
  () => `{ ${'unreadCount '.repeat(60_000)} }`,
  () => `${'{a'.repeat(2000)}${'}'.repeat(2000)}`,
  () => `{ ${times(800, (n) => `a${n}: unreadCount`)} } # ${(numbers += 1)}`,
  () => `{ unreadCount ${'@skip(if: false) '.repeat(500)} } # ${(numbers += 1)}`,
  () => `${doubling(60)} # ${(numbers += 1)}`,
  () => `{ notification(id: ${'['.repeat(1500)}${']'.repeat(1500)}) { id } }`,
  () => `query ($a: ${'['.repeat(1500)}ID${']'.repeat(1500)}) { notification(id: $a) { id } }`,
  () => `{ __schema { types { fields { type { fields { type { name } } } } } } } # ${(numbers += 1)}`,
  () => `{ nothing${(numbers += 1)} unreadCont notifcations { nods { id } } }`,
  () => times(200, (n) => `query Q${n} { unreadCount }`),
  () => `{ ${times(28, (n) => `a${n}: notifications(first: 100) { nodes { id title content data } }`)} }`,
  () => `{ notifications(first: 100${(numbers += 1)}) { nodes { id } } }`,
];

const DEEP = 20_000;

/** Bodies that are no JSON, or too deep for it. */
export const bodies: readonly string[] = [
  '{',
  '{"query":',
  '\u0000'.repeat(1000),
  '['.repeat(DEEP),
  '['.repeat(DEEP) + ']'.repeat(DEEP),
  `{"query":"{ unreadCount }","variables":${'{"a":'.repeat(DEEP)}1${'}'.repeat(DEEP)}}`,
  `{"query":${'"a'.repeat(5000)}}`,
  `[${'{"query":"{ unreadCount }"},'.repeat(2000)}null]`,
  `{${'"query":"{ unreadCount }",'.repeat(2000)}"a":1}`,
];

/** What a JSON parser takes in before it finds out that nothing in it is of use. */
export const wide = (bytes: number): string => {
  const item = '{"a":"b"},';
  return `{"query":"{ unreadCount }","variables":{"a":[${item.repeat(Math.max(1, Math.floor(bytes / item.length) - 10))}1]}}`;
};
