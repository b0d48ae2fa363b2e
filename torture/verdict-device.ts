import type { Device } from './device.ts';
import { DeviceFold, type Findings, epochOf, versionOf } from './device-fold.ts';
import { BEGINNING } from './population.ts';
import type { StoredInbox } from './table.ts';
import type { Verdict } from './verdict.ts';

const labelOf = ({ name, kind, inbox }: Device): string => `${name} (${kind}) of ${inbox.name}`;

/** Holds the record of one device against its inbox, by the promise of its door. */
export function judgeDevice(verdict: Verdict, device: Device, inbox: StoredInbox | undefined): void {
  judgeEnd(verdict, device, inbox, foldOf(device, verdict));
}

/** What the device still lacks of its inbox, or has in excess; empty when it has caught up. */
export function whatDiffers(device: Device, inbox: StoredInbox | undefined): string[] {
  const differences: string[] = [];
  judgeEnd({ add: (_category, detail) => differences.push(detail) }, device, inbox, foldOf(device, { add() {} }));
  return differences;
}

function foldOf(device: Device, findings: Findings): DeviceFold {
  const fold = new DeviceFold(findings, { label: labelOf(device), kind: device.kind });
  for (const event of device.taken) fold.take(event);
  return fold;
}

/** What the device has in the end is what the table has. */
export function judgeEnd(
  verdict: Findings,
  device: Device,
  inbox: StoredInbox | undefined,
  { notifications, cursor, unread }: DeviceFold,
): void {
  const label = labelOf(device);
  if (!inbox) {
    verdict.add('lost', `${label}: its inbox is not stored`);
    return;
  }
  if (cursor !== BEGINNING && epochOf(cursor) !== inbox.epoch) {
    verdict.add('reordered', `${label}: its cursor is of another inbox`);
  }
  for (const { id, isRead, seq, version, key } of inbox.notifications.values()) {
    const what = `${id} (${key}, added at ${seq}, last changed at ${version})`;
    if (!notifications.has(id)) {
      verdict.add('lost', `${label}: it never got ${what}; its cursor is ${versionOf(cursor)}`);
    } else if (device.kind !== 'additions' && notifications.get(id) !== isRead) {
      verdict.add('lost', `${label}: ${what} is ${isRead ? 'read' : 'unread'}, the device was not told`);
    }
  }
  if (device.kind === 'additions') return;
  for (const id of notifications.keys()) {
    if (!inbox.notifications.has(id)) verdict.add('lost', `${label}: it was not told that ${id} is gone`);
  }
  if (unread !== inbox.unread) {
    verdict.add('wrong counts', `${label}: it was last told ${unread} unread, the inbox has ${inbox.unread}`);
  }
}
