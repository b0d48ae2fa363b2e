import { type Argon2Parameters, type ScryptOptions, argon2, randomBytes, scrypt, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';

/**
 * Argon2id (RFC 9106) with 12 MiB of memory and three passes, of the settings that the OWASP Password Storage Cheat Sheet
 * gives as equal; of those it took the least time by far, as the system does not take the memory back after each hash.
 * Kept in each hash, so that they can be raised without a migration.
 */
const COST = { memory: 12_288, passes: 3, parallelism: 1 } as const;
const SALT_BYTES = 16;
const KEY_BYTES = 32;

/** What earlier hashes may take. */
const MAX_SCRYPT_BYTES = 64 * 2 ** 20;

/** The PHC string format: base64 without padding. */
const ARGON2ID = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Hashes of before Argon2id, with base64url parts. */
const SCRYPT = /^scrypt\$(\d+)\$(\d+)\$(\d+)\$([\w-]+)\$([\w-]+)$/;

type Cost = Pick<Argon2Parameters, 'memory' | 'passes' | 'parallelism'>;

const ofPhc = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '');

const costText = ({ memory, passes, parallelism }: Cost): string =>
  `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$`;

const toText = (salt: Buffer, key: Buffer): string => `${costText(COST)}${ofPhc(salt)}$${ofPhc(key)}`;

const argon2Async = promisify(argon2);
const scryptAsync = promisify<string, Buffer, number, ScryptOptions, Buffer>(scrypt);

const argon2idOf = (password: string, salt: Buffer, cost: Cost, keyBytes: number): Promise<Buffer> =>
  argon2Async('argon2id', { ...cost, message: password.normalize('NFKC'), nonce: salt, tagLength: keyBytes });

/** A memory-hard hash of a password, as a PHC string. Takes some hundredths of a second. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  return toText(salt, await argon2idOf(password, salt, COST, KEY_BYTES));
}

/** What no password has as its hash, and takes as long to verify as any other. */
export const nobodysHash = (): string => toText(randomBytes(SALT_BYTES), randomBytes(KEY_BYTES));

/** Whether a hash is not as it would be made today. */
export const isOutdated = (hash: string): boolean => !hash.startsWith(costText(COST));

/**
 * HMAC, which scrypt starts with, fills short keys up with zeros: a password and the same with NUL behind it have one
 * hash. Lone surrogates are all encoded alike. No password is made with either, so none is right.
 */
const isPossible = (password: string): boolean => !password.includes('\0') && password.isWellFormed();

/** Takes the same time whether the password is right or wrong. @throws Error when it is no hash of ours. */
export async function verifyPassword(password: string, hash: string): Promise<boolean> {
  const { expected, actual } = await keysOf(password, hash);
  return actual.length === expected.length && timingSafeEqual(actual, expected) && isPossible(password);
}

async function keysOf(password: string, hash: string): Promise<{ expected: Buffer; actual: Buffer }> {
  const [, m, t, p, nonce, tag] = ARGON2ID.exec(hash) ?? [];
  if (nonce !== undefined && tag !== undefined) {
    const expected = Buffer.from(tag, 'base64');
    const cost = { memory: Number(m), passes: Number(t), parallelism: Number(p) };
    return { expected, actual: await argon2idOf(password, Buffer.from(nonce, 'base64'), cost, expected.length) };
  }
  const [, N, r, lanes, salt, key] = SCRYPT.exec(hash) ?? [];
  if (salt === undefined || key === undefined) throw new Error('not a password hash of ours');
  const options = { N: Number(N), r: Number(r), p: Number(lanes), maxmem: MAX_SCRYPT_BYTES };
  const actual = await scryptAsync(password.normalize('NFKC'), Buffer.from(salt, 'base64url'), KEY_BYTES, options);
  return { expected: Buffer.from(key, 'base64url'), actual };
}
