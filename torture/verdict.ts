import type { Device } from './device.ts';
import type { Ledger } from './ledger.ts';
import { judgeDevice } from './verdict-device.ts';
import { type StoredInbox, type Table, inboxName, keyName } from './table.ts';

const CATEGORIES = ['lost', 'duplicated', 'reordered', 'wrong counts'] as const;

export type Category = (typeof CATEGORIES)[number];

/** Details that are kept of one category. */
const MOST_DETAILS = 8;

/** How often each promise was broken, and the first cases of each. */
export class Verdict {
  readonly counts: Record<Category, number> = { lost: 0, duplicated: 0, reordered: 0, 'wrong counts': 0 };
  readonly details: Record<Category, string[]> = { lost: [], duplicated: [], reordered: [], 'wrong counts': [] };

  get isClean(): boolean {
    return CATEGORIES.every((category) => this.counts[category] === 0);
  }

  add(category: Category, detail: string): void {
    this.counts[category] += 1;
    if (this.details[category].length < MOST_DETAILS) this.details[category].push(detail);
  }
}

/** Holds what was asked for, what is stored and what every device was told against each other. */
export function judge(ledger: Ledger, table: Table, devices: readonly Device[]): Verdict {
  const verdict = new Verdict();
  for (const [name, inbox] of table.inboxes) judgeInbox(verdict, name, inbox, table);
  judgeSends(verdict, ledger, table);
  judgeFates(verdict, ledger, table);
  for (const device of devices) judgeDevice(verdict, device, table.inboxes.get(device.inbox.name));
  return verdict;
}

/** The counters, versions and keys of one inbox. */
function judgeInbox(verdict: Verdict, name: string, inbox: StoredInbox, { keys }: Table): void {
  const rows = [...inbox.notifications.values()];
  const unread = rows.filter(({ isRead }) => !isRead).length;
  const wrong = (words: string): void => verdict.add('wrong counts', `inbox ${name}: ${words}`);
  if (inbox.total !== rows.length) wrong(`total is ${inbox.total}, it holds ${rows.length}`);
  if (inbox.unread !== unread) wrong(`unread is ${inbox.unread}, ${unread} of its notifications are unread`);
  const versions = [...rows.map(({ version }) => version), ...inbox.tombstones.values()];
  const newest = versions.reduce((most, version) => Math.max(most, version), 0);
  if (newest !== inbox.version) wrong(`its version is ${inbox.version}, its newest change is at ${newest}`);
  const [tenantId = ''] = name.split('/');
  const seen = new Map<string, string>();
  for (const { id, key, seq, version } of rows) {
    if (seq > version) wrong(`notification ${id} stands at ${seq} and last changed before, at ${version}`);
    if (key === null) continue;
    if (keys.get(keyName(tenantId, key)) !== id) wrong(`notification ${id} is stored without its key ${key}`);
    const twin = seen.get(key);
    if (twin !== undefined) verdict.add('duplicated', `inbox ${name}: ${key} is stored as ${twin} and as ${id}`);
    seen.set(key, id);
  }
}

/** Acknowledged sends are stored, once; and no key stands for nothing. */
function judgeSends(verdict: Verdict, { sends, fates }: Ledger, table: Table): void {
  for (const { key, recipient, ids } of sends.values()) {
    const inbox = table.inboxes.get(inboxName(recipient.tenantId, recipient.userId));
    if (ids.size > 1) verdict.add('duplicated', `${key} was acknowledged as ${[...ids].join(' and as ')}`);
    for (const id of ids) {
      if (inbox?.notifications.has(id)) continue;
      const tried = fates.get(id)?.tried;
      if (inbox?.tombstones.has(id) && (tried?.has('delete') || tried?.has('recall'))) continue;
      const where = inbox?.tombstones.has(id) ? 'deleted, which nobody asked for' : 'not stored';
      verdict.add('lost', `${key} to ${recipient.name}, acknowledged as ${id}, is ${where}`);
    }
    const claimed = table.keys.get(keyName(recipient.tenantId, key));
    if (claimed === undefined || inbox?.notifications.has(claimed) || inbox?.tombstones.has(claimed)) continue;
    verdict.add('wrong counts', `${key} of ${recipient.name} is taken for ${claimed}, which is not stored`);
  }
}

/** Acknowledged changes of owners have lasted, where nothing later may have undone them. */
function judgeFates(verdict: Verdict, { fates, allRead }: Ledger, { inboxes }: Table): void {
  for (const [name, inbox] of inboxes) {
    for (const { id, isRead } of inbox.notifications.values()) {
      const fate = fates.get(id);
      const lost = (what: string): void => verdict.add('lost', `inbox ${name}: ${what} of ${id} was acknowledged`);
      if (fate?.acknowledged.has('delete')) lost('the deletion');
      if (fate?.acknowledged.has('recall')) lost('the recall');
      if (fate?.acknowledged.has('read') && !fate.tried.has('unread') && !isRead) lost('the reading');
    }
  }
  for (const [owner, cursor] of allRead) {
    const last = Number.parseInt(cursor.slice(11), 36);
    for (const { id, seq, isRead } of inboxes.get(owner.name)?.notifications.values() ?? []) {
      if (seq > last || isRead || fates.get(id)?.tried.has('unread')) continue;
      verdict.add('lost', `inbox ${owner.name}: all up to ${last} were marked as read, ${id} at ${seq} is unread`);
    }
  }
}
