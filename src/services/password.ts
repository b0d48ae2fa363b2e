import { type ScryptOptions, randomBytes, timingSafeEqual } from 'node:crypto';
import { derive } from './password-threads.ts';

/**
 * scrypt (RFC 7914) with 32 MiB of memory and three lanes, one of the settings that the OWASP Password Storage Cheat
 * Sheet gives as equal. Kept in each hash, so that they can be raised without a migration.
 */
const COST = { N: 2 ** 15, r: 8, p: 3 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;
const MAX_MEMORY_BYTES = 64 * 2 ** 20;

const keyOf = (password: string, salt: Buffer, options: ScryptOptions): Promise<Buffer> =>
  derive({
    password: password.normalize('NFKC'),
    salt,
    keyBytes: KEY_BYTES,
    options: { ...options, maxmem: MAX_MEMORY_BYTES },
  });

const toText = (salt: Buffer, key: Buffer): string =>
  ['scrypt', COST.N, COST.r, COST.p, salt.toString('base64url'), key.toString('base64url')].join('$');

/** A memory-hard hash of a password, as `scrypt$N$r$p$salt$key` with base64url parts. Takes some tenths of a second. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return toText(salt, await keyOf(password, salt, COST));
}

/** What no password has as its hash, and takes as long to verify as any other. */
export const nobodysHash = (): string => toText(randomBytes(SALT_BYTES), randomBytes(KEY_BYTES));

/**
 * HMAC, which scrypt starts with, fills short keys up with zeros: a password and the same with NUL behind it have one
 * hash. Lone surrogates are all encoded alike. No password is made with either, so none is right.
 */
const isPossible = (password: string): boolean => !password.includes('\0') && password.isWellFormed();

/** Takes the same time whether the password is right or wrong. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const [kind, N, r, p, salt, key] = hash.split('$');
  if (kind !== 'scrypt' || !salt || !key) throw new Error('not a password hash of ours');
  const expected = Buffer.from(key, 'base64url');
  const actual = await keyOf(password, Buffer.from(salt, 'base64url'), { N: Number(N), r: Number(r), p: Number(p) });
  return actual.length === expected.length && timingSafeEqual(actual, expected) && isPossible(password);
}
