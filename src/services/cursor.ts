import { badInput } from '../errors.ts';
import { randomBytesOf } from './entropy.ts';

/**
 * A point in one inbox's log: everything up to and including `version` lies before it.
 *
 * Written as eleven characters of epoch and the version in base 36: opaque and URL-safe. The epoch is drawn at random
 * when an inbox comes into being, so a cursor fits no other inbox, nor one that was lost and began anew.
 */
export interface Cursor {
  readonly epoch: string;
  readonly version: number;
}

const EPOCH_BYTES = 8;
const CURSOR = /^([A-Za-z0-9_-]{11})(0|[1-9a-z][0-9a-z]{0,9})$/;

/** The epoch of an inbox that does not exist yet; a cursor of it means "from the very beginning" in any inbox. */
export const NO_EPOCH = '-'.repeat(11);

export const newEpoch = (): string => randomBytesOf(EPOCH_BYTES).toString('base64url');

export const encodeCursor = (epoch: string, version: number): string => epoch + version.toString(36);

/** @throws CarillonError BAD_USER_INPUT for `field` when the text is no cursor at all. */
export function decodeCursor(text: string, field: string): Cursor {
  const match = CURSOR.exec(text);
  const version = match ? Number.parseInt(match[2] as string, 36) : Number.NaN;
  if (!match || !Number.isSafeInteger(version)) throw badInput(field, `${field} is not a cursor.`);
  return { epoch: match[1] as string, version };
}

/** Why a well-formed cursor is of no use in an inbox. */
export type CursorFault = 'FOREIGN_CURSOR' | 'FUTURE_CURSOR';

/** Whether a cursor means "from the very beginning", whatever the inbox. */
export const isBeginning = ({ epoch, version }: Cursor): boolean => epoch === NO_EPOCH && version === 0;

/** What is wrong with a cursor in the inbox with this head: of another inbox or life, or of a future it never had. */
export function faultIn(head: { epoch: string; version: number } | undefined, cursor: Cursor): CursorFault | undefined {
  if (isBeginning(cursor)) return undefined;
  if (!head || cursor.epoch !== head.epoch) return 'FOREIGN_CURSOR';
  return cursor.version > head.version ? 'FUTURE_CURSOR' : undefined;
}

/** @throws CarillonError BAD_USER_INPUT for a cursor that is of no use in the inbox with this head. */
export function mustBeIn(head: { epoch: string; version: number } | undefined, cursor: Cursor, field: string): void {
  if (faultIn(head, cursor)) {
    throw badInput(field, `${field} is not a cursor of this inbox, or of its present life: read the list anew.`);
  }
}
