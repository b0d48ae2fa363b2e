import { randomBytes } from 'node:crypto';
import { badInput } from '../errors.ts';

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

export const newEpoch = (): string => randomBytes(EPOCH_BYTES).toString('base64url');

export const encodeCursor = (epoch: string, version: number): string => epoch + version.toString(36);

/** @throws CarillonError BAD_USER_INPUT for `field` when the text is no cursor at all. */
export function decodeCursor(text: string, field: string): Cursor {
  const match = CURSOR.exec(text);
  const version = match ? Number.parseInt(match[2] as string, 36) : Number.NaN;
  if (!match || !Number.isSafeInteger(version)) throw badInput(field, `${field} is not a cursor.`);
  return { epoch: match[1] as string, version };
}

/**
 * The version that a cursor stands for in the inbox with this head.
 *
 * @throws CarillonError BAD_USER_INPUT when it belongs to another inbox, or to a future that this one never had.
 */
export function versionIn(head: { epoch: string; version: number } | undefined, cursor: Cursor, field: string): number {
  if (cursor.epoch === NO_EPOCH && cursor.version === 0) return 0;
  if (!head || cursor.epoch !== head.epoch || cursor.version > head.version) {
    throw badInput(field, `${field} is not a cursor of this inbox, or of its present life: read the list anew.`);
  }
  return cursor.version;
}
