import { createDecipheriv, createECDH, hkdfSync, randomBytes } from 'node:crypto';

export interface Browser {
  /** As a page sends it to its server. */
  subscription(endpoint: string): { endpoint: string; expirationTime: null; keys: { p256dh: string; auth: string } };
  /** What only this browser can read (RFC 8291, with one record of RFC 8188). */
  decrypt(body: Buffer): unknown;
}

/** Does with a push message what a browser does. */
export function createBrowser(): Browser {
  const keys = createECDH('prime256v1');
  const ownKey = keys.generateKeys();
  const auth = randomBytes(16);
  return {
    subscription: (endpoint) => ({
      endpoint,
      expirationTime: null,
      keys: { p256dh: ownKey.toString('base64url'), auth: auth.toString('base64url') },
    }),
    decrypt(body) {
      const salt = body.subarray(0, 16);
      const keyEnd = 21 + body.readUInt8(20);
      const serverKey = body.subarray(21, keyEnd);
      const derive = (secret: Buffer, salted: Buffer, info: (string | Buffer)[], length: number): Buffer =>
        Buffer.from(hkdfSync('sha256', secret, salted, Buffer.concat(info.map((part) => Buffer.from(part))), length));
      const shared = derive(keys.computeSecret(serverKey), auth, ['WebPush: info\0', ownKey, serverKey], 32);
      const contentKey = derive(shared, salt, ['Content-Encoding: aes128gcm\0'], 16);
      const nonce = derive(shared, salt, ['Content-Encoding: nonce\0'], 12);
      const decipher = createDecipheriv('aes-128-gcm', contentKey, nonce).setAuthTag(body.subarray(-16));
      const padded = Buffer.concat([decipher.update(body.subarray(keyEnd, -16)), decipher.final()]);
      return JSON.parse(padded.subarray(0, padded.lastIndexOf(2)).toString()) as unknown;
    },
  };
}
