import type { Device, Taken } from './device.ts';
import { BEGINNING } from './population.ts';
import type { StoredInbox } from './table.ts';
import type { Verdict } from './verdict.ts';

/** Takes findings. */
type Findings = Pick<Verdict, 'add'>;

const EPOCH_LENGTH = 11;

const versionOf = (cursor: string): number => Number.parseInt(cursor.slice(EPOCH_LENGTH), 36);

/** Notifications as a device has them, folded from its events; whether each is read. */
type Fold = Map<string, boolean>;

/** Holds the record of one device against its inbox, by the promise of its door. */
export function judgeDevice(verdict: Verdict, device: Device, inbox: StoredInbox | undefined): void {
  const label = `${device.name} (${device.kind}) of ${device.inbox.name}`;
  if (!inbox) {
    verdict.add('lost', `${label}: its inbox is not stored`);
    return;
  }
  judgeOrder(verdict, device, label, inbox);
  const fold = new Map<string, boolean>();
  for (const [at, event] of device.taken.entries()) apply(verdict, fold, event, `${label}, event ${at}`);
  judgeEnd(verdict, device, label, inbox, fold);
}

/** What the device still lacks of its inbox, or has in excess; empty when it has caught up. */
export function whatDiffers(device: Device, inbox: StoredInbox | undefined): string[] {
  if (!inbox) return ['its inbox is not stored'];
  const differences: string[] = [];
  const fold = new Map<string, boolean>();
  for (const event of device.taken) apply({ add() {} }, fold, event, '');
  judgeEnd({ add: (_category, detail) => differences.push(detail) }, device, device.name, inbox, fold);
  return differences;
}

/** Positions only grow, nothing comes twice, and each event follows the one before. */
function judgeOrder(verdict: Verdict, { kind, taken }: Device, label: string, { epoch }: StoredInbox): void {
  const seen = new Set<number>();
  let held = BEGINNING;
  for (const [at, { cursor, previousCursor, kind: what }] of taken.entries()) {
    if (cursor === undefined) continue;
    const version = versionOf(cursor);
    const place = `${label}, event ${at} (${what} at ${version}, after ${versionOf(held)})`;
    if (!cursor.startsWith(epoch)) verdict.add('reordered', `${place}: its cursor is of another inbox`);
    if (seen.has(version)) verdict.add('duplicated', `${place}: it came before`);
    else if (version <= versionOf(held)) verdict.add('reordered', `${place}: it came late`);
    const isChained = kind === 'changes' || kind === 'event-stream';
    if (isChained && !follows(previousCursor, held, epoch)) {
      const named = previousCursor === undefined ? 'none' : versionOf(previousCursor);
      verdict.add('reordered', `${place}: its previous cursor is ${named}`);
    }
    seen.add(version);
    held = cursor;
  }
}

/** Who holds the beginning holds position 0 of whatever inbox. */
const follows = (previous: string | undefined, held: string, epoch: string): boolean =>
  previous === held || (held === BEGINNING && previous === `${epoch}0`);

function apply(verdict: Findings, fold: Fold, { kind, ids, isRead = false }: Taken, label: string): void {
  const [id = ''] = ids;
  switch (kind) {
    case 'welcome':
      return;
    case 'reset':
      verdict.add('lost', `${label}: a reset, although the inbox was never lost`);
      return;
    case 'added':
      if (fold.has(id)) verdict.add('duplicated', `${label}: ${id} was added before`);
      fold.set(id, isRead);
      return;
    case 'updated':
    case 'read':
      for (const each of ids) {
        if (!fold.has(each)) verdict.add('lost', `${label}: ${kind} of ${each}, which was never added`);
        fold.set(each, kind === 'read' || isRead);
      }
      return;
    case 'deleted':
      for (const each of ids) fold.delete(each);
  }
}

/** What the device has in the end is what the table has. */
function judgeEnd(verdict: Findings, device: Device, label: string, inbox: StoredInbox, fold: Fold): void {
  for (const { id, isRead, seq, version, key } of inbox.notifications.values()) {
    const what = `${id} (${key}, added at ${seq}, last changed at ${version})`;
    if (!fold.has(id)) verdict.add('lost', `${label}: it never got ${what}; its cursor is ${versionOf(device.cursor)}`);
    else if (device.kind !== 'additions' && fold.get(id) !== isRead) {
      verdict.add('lost', `${label}: ${what} is ${isRead ? 'read' : 'unread'}, the device was not told`);
    }
  }
  if (device.kind === 'additions') return;
  for (const id of fold.keys()) {
    if (!inbox.notifications.has(id)) verdict.add('lost', `${label}: it was not told that ${id} is gone`);
  }
  const unread = device.taken.findLast((event) => event.unread !== undefined)?.unread;
  if (unread !== inbox.unread) {
    verdict.add('wrong counts', `${label}: it was last told ${unread} unread, the inbox has ${inbox.unread}`);
  }
}
