import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { eventually } from '../support/eventually.ts';
import { heapUsed } from '../support/heap.ts';
import { type Door, type Input, doors, verdictOn } from './input.ts';
import { data } from './inputs/data.ts';
import { documents } from './inputs/documents.ts';
import { frames } from './inputs/frames.ts';
import { messages } from './inputs/messages.ts';
import { nested } from './inputs/nested.ts';
import { requests } from './inputs/requests.ts';
import { authorization } from './inputs/strangers.ts';
import { tokens } from './inputs/tokens.ts';
import { upgrades } from './inputs/upgrades.ts';
import { values } from './inputs/values.ts';
import { type Ledger, openDescriptors, readLedger } from './ledger.ts';
import { Stage } from './stage.ts';
import { type Witnesses, callWitnesses } from './witnesses.ts';

const kinds: readonly [kind: string, inputs: readonly Input[]][] = [
  ['tokens', tokens],
  ['strangers', authorization],
  ['GraphQL documents', documents],
  ['frames', frames],
  ['messages', messages],
  ['requests', requests],
  ['upgrades', upgrades],
  ['data', data],
  ['values', values],
  ['nested values', nested],
];

/**
 * What nobody outside may see: SQL, paths, stacks, names out of the sources, hints at the schema. That braces are missing
 * after a field that was asked for is no hint.
 */
const LEAKS =
  /\b(?:select|insert into|update|delete from)\s.{0,80}\b(?:from|set|values|where)\b|pg_|postgres|syntax error at or near|node_modules|\/src\/|\.ts\b|\n\s+at |at \w+ \(|did you mean(?! \\?"\w+ \{ \.\.\. \})|kysely|mikro|zod|ECONN/i;

/** Inputs that are tried while the witnesses do all they do once. */
const INPUTS_PER_BEAT = 4;

/** What is compiled meanwhile takes half of that; a leak of a kilobyte for each input and door would be four million. */
const MOST_GROWTH_BYTES = 3 * 2 ** 20;

const HEAP_LOOKS = 3;

let stage: Stage;
let witnesses: Witnesses;
let before: Ledger;
/** Ids of notifications that answers told of. */
const told = new Set<string>();

beforeAll(async () => {
  stage = await Stage.open();
  before = await readLedger(stage.app.databaseUrl);
  witnesses = await callWitnesses(stage);
});
afterAll(async () => {
  await witnesses[Symbol.asyncDispose]();
  await stage[Symbol.asyncDispose]();
  const counts = Object.fromEntries(kinds.map(([kind, inputs]) => [kind, countsOf(inputs)]));
  console.info('Hostile inputs, by kind and door:');
  console.table({ ...counts, all: countsOf(kinds.flatMap(([, inputs]) => inputs)) });
});

const countsOf = (inputs: readonly Input[]): Record<string, number> => ({
  inputs: inputs.length,
  ...Object.fromEntries(doors.map((door) => [door, inputs.filter(({ on }) => on[door]).length])),
});

/** What is wrong with how one door takes an input. */
async function faultOn(door: Door, input: Input): Promise<string | undefined> {
  const where = `${door}: ${input.name}`;
  try {
    const { verdict, text = '' } = (await input.on[door]?.(stage)) ?? {};
    for (const [, id = ''] of text.matchAll(/"(?:sent|id)":"([0-9a-f-]{36})"/g)) {
      // A copy: a part of a text keeps all of it.
      told.add(Buffer.from(id).toString());
    }
    const expected = verdictOn(input, door);
    if (verdict !== expected) return `${where}: ${verdict}, not ${expected}: ${text.slice(0, 300)}`;
    const leak = LEAKS.exec(text);
    return leak ? `${where}: tells ${leak[0]}: ${text.slice(0, 300)}` : undefined;
  } catch (error) {
    return `${where}: ${String(error)}`;
  }
}

const faultsOf = (input: Input): Promise<(string | undefined)[]> =>
  Promise.all(doors.filter((door) => input.on[door]).map((door) => faultOn(door, input)));

/** One input after the other, each on all its doors at once. */
async function tryAll(inputs: readonly Input[], goOn: () => Promise<void>): Promise<string[]> {
  const faults: (string | undefined)[] = [];
  for (let at = 0; at < inputs.length; at += INPUTS_PER_BEAT) {
    const going = goOn();
    for (const input of inputs.slice(at, at + INPUTS_PER_BEAT)) faults.push(...(await faultsOf(input)));
    await going;
  }
  return faults.filter((fault) => fault !== undefined);
}

/** The least of several looks: what sockets leave takes some turns to go. */
async function settledHeap(): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < HEAP_LOOKS; look += 1) least = Math.min(least, await heapUsed());
  return least;
}

describe('every door has the same answer, and good clients go on undisturbed, under hostile', () => {
  test.each(kinds)('%s', async (_kind, inputs) => {
    expect(await tryAll(inputs, () => witnesses.beat())).toEqual([]);
  });
});

describe('after all of that', () => {
  test('all of it again has the same answers, and leaves memory and descriptors as they were', async () => {
    await stage.disconnect();
    const heap = await settledHeap();
    const descriptors = openDescriptors();
    const all = kinds.flatMap(([, inputs]) => inputs);
    expect(await tryAll(all, async () => {})).toEqual([]);
    await stage.disconnect();
    expect((await settledHeap()) - heap).toBeLessThan(MOST_GROWTH_BYTES);
    await eventually(() => openDescriptors() <= descriptors);
    // Those of the witnesses, who all listen to one inbox.
    const { connections } = stage.app.app.doors;
    await eventually(() => connections.size === 4 && stage.app.app.context.hub.feedCount === 1);
  }, 180_000); // ms

  test('the log holds what was answered, and nothing else', async () => {
    const after = await readLedger(stage.app.databaseUrl);
    const expected = new Set([...before.ids, ...told, ...witnesses.sent]);
    expect([...after.ids].filter((id) => !expected.has(id))).toEqual([]);
    expect([...expected].filter((id) => !after.ids.has(id))).toEqual([]);
    expect(after.still).toEqual(before.still);
    expect(after.hers).toBe(before.hers);
    expect(after.keys).toEqual(["'; --", 'parity', 'é', 'parity']);
  });

  test('the log of the server tells of no failure', () => {
    expect(stage.app.logged.filter((line) => /"level":(?:50|60)/.test(line))).toEqual([]);
  });
});
