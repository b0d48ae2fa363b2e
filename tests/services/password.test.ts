import { describe, expect, test } from '@jest/globals';
import { hashPassword, isOutdated, verifyPassword } from '../../src/services/password.ts';

describe('a hash', () => {
  test('says how it was made, has a salt of its own, and does not hold the password', async () => {
    const [one, other] = await Promise.all([hashPassword('a password'), hashPassword('a password')]);
    expect(one).toMatch(/^\$argon2id\$v=19\$m=12288,t=3,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(isOutdated(one)).toBe(false);
    expect(one).not.toBe(other);
    expect(one).not.toContain('a password');
  });

  test('is found right for its password alone', async () => {
    const hash = await hashPassword('pässwörd 🔑');
    expect(await verifyPassword('pässwörd 🔑', hash)).toBe(true);
    for (const wrong of ['', 'pässwörd', 'PÄSSWÖRD 🔑', 'pässwörd 🔑 ', 'passwort']) {
      expect(await verifyPassword(wrong, hash)).toBe(false);
    }
  });

  test('is found right for the same characters in another Unicode form', async () => {
    const hash = await hashPassword('cafe\u0301 \ufb01');
    expect(await verifyPassword('caf\u00e9 fi', hash)).toBe(true);
  });

  test('is found wrong for the password with NUL behind it, and for other text that no password has', async () => {
    const hash = await hashPassword('a password');
    expect(await verifyPassword('a password\0', hash)).toBe(false);
    expect(await verifyPassword('\ud800', await hashPassword('\ufffd'))).toBe(false);
  });

  test('keeps a difference at the end of a long password', async () => {
    const long = 'x'.repeat(1000);
    expect(await verifyPassword(`${long}b`, await hashPassword(`${long}a`))).toBe(false);
  });

  test('that was made with other settings is still understood', async () => {
    // From the tests of the reference implementation of Argon2.
    const hash = '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc';
    expect(await verifyPassword('password', hash)).toBe(true);
    expect(await verifyPassword('passwore', hash)).toBe(false);
    expect(isOutdated(hash)).toBe(true);
  });

  test('that was made with scrypt is still understood', async () => {
    // RFC 7914 section 12, the third test vector, cut to 32 bytes: a PBKDF2 output of fewer bytes is a prefix.
    const key = Buffer.from('7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2', 'hex');
    const salt = Buffer.from('SodiumChloride').toString('base64url');
    const hash = `scrypt$16384$8$1$${salt}$${key.toString('base64url')}`;
    expect(await verifyPassword('pleaseletmein', hash)).toBe(true);
    expect(await verifyPassword('pleaseletmeout', hash)).toBe(false);
    expect(await verifyPassword('pleaseletmein\0', hash)).toBe(false);
    expect(isOutdated(hash)).toBe(true);
  });

  test.each([
    '',
    'plain text',
    'bcrypt$10$a$b$c$d',
    'scrypt$32768$8$3',
    'scrypt$32768$8$3$salt$',
    '$argon2i$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc',
    '$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$',
  ])('is not taken for one of ours: %j', async (hash) => {
    await expect(verifyPassword('a password', hash)).rejects.toThrow('not a password hash of ours');
  });
});
