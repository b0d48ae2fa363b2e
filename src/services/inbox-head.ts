import { type RawBuilder, sql } from 'kysely';
import { NO_EPOCH, encodeCursor } from './cursor.ts';

/** The head of an inbox's log: its newest version, and its counters at that version. */
export interface InboxHead {
  readonly epoch: string;
  readonly version: number;
  readonly totalCount: number;
  readonly unreadCount: number;
  /** Cursors before this version cannot be continued from: tombstones after them are gone. */
  readonly horizon: number;
}

/** What `headColumns` selects; bigints come as text. */
export interface HeadRow {
  epoch: string;
  head_version: string;
  total: number;
  unread: number;
  horizon: string;
}

/** What to select from `inbox i`, beside the columns of a notification, which has a version of its own. */
export const headColumns: RawBuilder<HeadRow> = sql`i.epoch, i.version as head_version, i.total, i.unread, i.horizon`;

/** Of an inbox that does not exist yet. */
export const EMPTY_HEAD: InboxHead = { epoch: NO_EPOCH, version: 0, totalCount: 0, unreadCount: 0, horizon: 0 };

export const toHead = (row: HeadRow): InboxHead => ({
  epoch: row.epoch,
  version: Number(row.head_version),
  totalCount: row.total,
  unreadCount: row.unread,
  horizon: Number(row.horizon),
});

/** The cursor of an inbox's newest version. */
export const headCursor = ({ epoch, version }: InboxHead): string => encodeCursor(epoch, version);
