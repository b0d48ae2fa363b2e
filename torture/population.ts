import jwt from 'jsonwebtoken';
import { NO_EPOCH, encodeCursor } from '../src/services/cursor.ts';
import { JWT_SECRET } from './cluster.ts';
import type { Random } from './random.ts';

/** A notification as its sender or its owner knows it. */
export interface Known {
  id: string;
  cursor: string;
}

/** One inbox and its owner. */
export interface Inbox {
  readonly name: string;
  readonly tenantId: string;
  readonly userId: string;
  readonly token: string;
  /** Acknowledged notifications that nobody has tried to delete. */
  readonly known: Known[];
}

/** The doors that devices listen at. */
export type DoorKind = 'changes' | 'additions' | 'event-stream' | 'legacy';

export interface Place {
  inbox: Inbox;
  kind: DoorKind;
}

/** "From the very beginning", in any inbox. */
export const BEGINNING = encodeCursor(NO_EPOCH, 0);

const TENANTS = 2;
const MOST_INBOXES = 40;
const CLIENTS_PER_INBOX = 5;

/** One inbox in ten is a crowd, and holds a good deal of all devices. */
const CROWD_EVERY = 10;
const CROWD_SHARE = 0.4;

const KINDS: readonly DoorKind[] = [
  'changes',
  'changes',
  'additions',
  'event-stream',
  'changes',
  'legacy',
  'changes',
  'additions',
];

/** Tokens outlast every run. */
const LONGEST_RUN = '8d';

export function createInboxes(clients: number): Inbox[] {
  const count = Math.min(MOST_INBOXES, Math.max(1, Math.ceil(clients / CLIENTS_PER_INBOX)));
  return Array.from({ length: count }, (_, index) => {
    const tenantId = `tenant-${index % TENANTS}`;
    const userId = `user-${index}`;
    const token = jwt.sign({ user_id: userId, tenant_id: tenantId, roles: ['admin'] }, JWT_SECRET, {
      expiresIn: LONGEST_RUN,
    });
    return { name: `${tenantId}/${userId}`, tenantId, userId, token, known: [] };
  });
}

/** Spreads devices over inboxes: a few crowds, the rest evenly. */
export function placeDevices(inboxes: readonly Inbox[], clients: number, random: Random): Place[] {
  const crowds = inboxes.filter((_, index) => index % CROWD_EVERY === 0);
  const others = inboxes.filter((inbox) => !crowds.includes(inbox));
  const inCrowds = others.length === 0 ? clients : Math.round(clients * CROWD_SHARE);
  const start = random.integer(0, KINDS.length - 1);
  return Array.from({ length: clients }, (_, index) => {
    const list = index < inCrowds ? crowds : others;
    // Walks through kinds and inboxes at different paces, so that every inbox gets a mixture.
    const round = Math.floor(index / list.length);
    return {
      inbox: list[index % list.length] as Inbox,
      kind: KINDS[(start + index + round) % KINDS.length] as DoorKind,
    };
  });
}
