import { generateKeyPairSync } from 'node:crypto';

const pem = { type: 'spki', format: 'pem' } as const;

export const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const otherRsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
export const ec = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const otherEc = generateKeyPairSync('ec', { namedCurve: 'P-256' });
export const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
export const rsaPem = rsa.publicKey.export(pem) as string;
export const ecPem = ec.publicKey.export(pem) as string;

/** What the server takes tokens of, beside its secret. */
export const publicKeys = `${rsaPem}${ecPem}`;
