import tls from 'node:tls';
import { generate } from 'selfsigned';

export interface Certificate {
  key: string;
  cert: string;
}

/** A server's certificate for these names, which nobody trusts. */
export async function selfSignedCertificate(...names: string[]): Promise<Certificate> {
  const { private: key, cert } = await generate([{ name: 'commonName', value: names[0]! }], {
    keyType: 'ec',
    algorithm: 'sha256',
    extensions: [{ name: 'subjectAltName', altNames: names.map((value) => ({ type: 2, value })) }],
  });
  return { key, cert };
}

/** One that this process trusts until it is disposed of. */
export async function trustedCertificate(...names: string[]): Promise<Certificate & Disposable> {
  const { key, cert } = await selfSignedCertificate(...names);
  const before = tls.getCACertificates('default');
  tls.setDefaultCACertificates([...before, cert]);
  return { key, cert, [Symbol.dispose]: () => tls.setDefaultCACertificates(before) };
}
