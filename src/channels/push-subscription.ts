import { ECDH } from 'node:crypto';
import { z } from 'zod';
import { outwardUrl } from './outward-http.ts';

/** What a browser's `PushSubscription.toJSON()` gives, without what is of no use here; keys in base64url. */
export interface PushSubscription {
  endpoint: string;
  keys: { p256dh: string; auth: string };
}

const shape = z.object({ endpoint: z.string(), keys: z.object({ p256dh: z.string(), auth: z.string() }) });

/** Bytes of base64 or base64url, as base64url. */
function key(text: string): { bytes: Buffer; text: string } {
  const bytes = Buffer.from(text, 'base64url');
  return { bytes, text: bytes.toString('base64url') };
}

/** Whether the bytes are a public key of P-256 in its uncompressed form (RFC 8291 section 3.1). */
function isPublicKey(bytes: Buffer): boolean {
  try {
    ECDH.convertKey(bytes, 'prime256v1');
    return bytes.length === 65;
  } catch {
    return false;
  }
}

/**
 * Reads the JSON of a subscription, and leaves out whatever else is in it.
 *
 * @throws Error that says what is wrong with it, as in "must be …".
 */
export function parsePushSubscription(text: string, where: { privateToo: boolean }): PushSubscription {
  const { success, data } = shape.safeParse(parseJson(text));
  if (!success) throw new Error('must be the JSON of a PushSubscription: endpoint, keys.p256dh and keys.auth');
  const p256dh = key(data.keys.p256dh);
  const auth = key(data.keys.auth);
  if (!isPublicKey(p256dh.bytes)) throw new Error('must have a P-256 public key in base64url as keys.p256dh');
  if (auth.bytes.length !== 16) throw new Error('must have 16 bytes in base64url as keys.auth');
  return { endpoint: endpointOf(data.endpoint, where), keys: { p256dh: p256dh.text, auth: auth.text } };
}

function endpointOf(text: string, where: { privateToo: boolean }): string {
  try {
    return outwardUrl(text, where);
  } catch (error) {
    throw new Error(`must have another endpoint: it ${(error as Error).message}`, { cause: error });
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
