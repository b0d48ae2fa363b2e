import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface Mail {
  from: string;
  to: string[];
  /** As it came over the wire, with its line ends. */
  raw: string;
  parsed: Email;
  header: (name: string) => string | undefined;
}

export interface MailServer extends AsyncDisposable {
  readonly port: number;
  readonly mails: Mail[];
  /** Connections so far. */
  readonly connections: () => number;
}

/** An error that the server replies with. */
export const reply = (responseCode: number, words: string): Error => Object.assign(new Error(words), { responseCode });

/** An SMTP server on a free port of this machine, without TLS and logins unless the options say otherwise. */
export async function startMailServer(options: SMTPServerOptions = {}): Promise<MailServer> {
  const mails: Mail[] = [];
  let connections = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS', 'AUTH'],
    hideENHANCEDSTATUSCODES: false,
    disableReverseLookup: true,
    closeTimeout: 0, // ms
    onConnect(_session, done) {
      connections += 1;
      done();
    },
    async onData(stream, { envelope }, done) {
      const bytes = await buffer(stream);
      const parsed = await PostalMime.parse(bytes);
      mails.push({
        from: envelope.mailFrom === false ? '' : envelope.mailFrom.address,
        to: envelope.rcptTo.map(({ address }) => address),
        raw: bytes.toString(),
        parsed,
        header: (name) => parsed.headers.find(({ key }) => key === name)?.value,
      });
      done();
    },
    ...options,
  });
  // A client that breaks off is what some tests are about.
  server.on('error', () => {});
  const listening = server.listen(0, '127.0.0.1');
  await once(listening, 'listening');
  return {
    port: (listening.address() as AddressInfo).port,
    mails,
    connections: () => connections,
    [Symbol.asyncDispose]: () => new Promise((resolve) => server.close(resolve)),
  };
}
