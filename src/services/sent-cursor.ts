import { createHash } from 'node:crypto';
import { badInput } from '../errors.ts';
import type { InboxAddress } from './caller.ts';

const CHECK_BYTES = 8;
const ID_BYTES = 16;
const CURSOR = /^[A-Za-z0-9_-]{32}$/;

/** Of the sender and the place: neither another sender's cursor nor a garbled one has it, but for one in 2^64. */
const check = ({ tenantId, userId }: InboxAddress, id: Buffer): Buffer =>
  createHash('sha256')
    .update(JSON.stringify([tenantId, userId]))
    .update(id)
    .digest()
    .subarray(0, CHECK_BYTES);

/**
 * The place of a notification in the list of what somebody sent: 32 characters, opaque and URL-safe, and unlike any cursor
 * of an inbox.
 */
export function encodeSentCursor(sender: InboxAddress, id: string): string {
  const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
  return Buffer.concat([check(sender, bytes), bytes]).toString('base64url');
}

/** The id at that place. @throws CarillonError BAD_USER_INPUT for `field` when it is no cursor of this sender's list. */
export function decodeSentCursor(sender: InboxAddress, text: string, field: string): string {
  const bytes = CURSOR.test(text) ? Buffer.from(text, 'base64url') : Buffer.alloc(CHECK_BYTES + ID_BYTES);
  const id = bytes.subarray(CHECK_BYTES);
  if (!check(sender, id).equals(bytes.subarray(0, CHECK_BYTES))) {
    throw badInput(field, `${field} is not a cursor of the list of what you sent.`);
  }
  const hex = id.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}
