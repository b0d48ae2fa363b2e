import { domainToASCII } from 'node:url';
import { z } from 'zod';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { type Channel, DeliveryFailure } from '../services/channel.ts';
import { firstUnset } from './first-unset.ts';
import type { MailSettings } from './mail.ts';
import { endedBy } from './outward-http.ts';

const WHO = 'The mail server';

/** What HTML calls a valid e-mail address, at most as long as SMTP lets it be (RFC 5321 section 4.5.3.1). */
const rule = z.string().regex(z.regexes.html5Email).max(254);

/** What nodemailer's errors tell of a server's reply. */
interface SmtpError {
  responseCode?: number;
  response?: string;
  /** The command that was replied to. */
  command?: string;
}

/**
 * 5xx is the end where it is about this recipient or this mail. A login or a sender that is refused is about the settings
 * of this server, and passes when those are put right. Of the reply only its numbers are told (RFC 3463): its words may
 * name machines.
 */
function failureOf(error: unknown): DeliveryFailure {
  const { responseCode, response = '', command = '' } = error as SmtpError;
  if (responseCode === undefined) return new DeliveryFailure(`${WHO} could not be reached.`, { cause: error });
  const [, enhanced] = /^\d{3}[ -](\d\.\d{1,3}\.\d{1,3})\b/.exec(response) ?? [];
  const reply = enhanced === undefined ? responseCode : `${responseCode} ${enhanced}`;
  if (command === 'RCPT TO' || command === 'DATA') {
    const what = command === 'RCPT TO' ? 'recipient' : 'mail';
    return new DeliveryFailure(`${WHO} refused the ${what} (${reply}).`, {
      permanent: responseCode >= 500,
      cause: error,
    });
  }
  return new DeliveryFailure(`${WHO} refused this server (${reply}).`, { cause: error });
}

/**
 * Mails over SMTP. A mail that the server has taken is SENT: whatever comes of it later comes as a mail to the sender.
 * Connections are kept for the next mails, and are closed when the channel is disposed of.
 */
export function createEmailChannel(
  settings: MailSettings & Pick<Config, 'smtpUrl' | 'deliveryConcurrency'>,
  logger: Logger,
): Channel & AsyncDisposable {
  async function prepare() {
    // Only where mails are sent: a server that sends none is smaller, and sooner there.
    const [{ createTransport }, { composeMail }] = await Promise.all([import('nodemailer'), import('./mail.ts')]);
    const transport = createTransport({
      url: settings.smtpUrl ?? 'smtp://localhost',
      pool: true,
      maxConnections: settings.deliveryConcurrency,
      // Whether and when there is another attempt is not for the pool to decide.
      maxRequeues: 0,
    });
    transport.on('error', (error) => logger.warn({ err: error }, 'a connection to the mail server failed'));
    return { transport, composeMail };
  }
  // The first mail does not wait for it.
  let prepared = settings.smtpUrl === undefined ? undefined : prepare();
  return {
    missingSetting: firstUnset({ SMTP_URL: settings.smtpUrl, MAIL_FROM: settings.mailFrom }),
    audience: 'recipient',
    address(text) {
      const at = text.lastIndexOf('@');
      const address = `${text.slice(0, at)}@${domainToASCII(text.slice(at + 1))}`;
      // A domain of mail has a dot, and its last part is no number.
      if (!rule.safeParse(address).success || at > 64 || !/\.[a-z][a-z0-9-]*$/.test(address)) {
        throw new Error('must be an e-mail address, and nothing beside it');
      }
      return address;
    },
    async deliver(outbound, signal) {
      const { transport, composeMail } = await (prepared ??= prepare());
      try {
        await transport.sendMail({ ...composeMail(outbound, settings), signal });
      } catch (error) {
        throw signal.aborted ? endedBy(signal, WHO) : failureOf(error);
      }
      return { status: 'SENT' };
    },
    async [Symbol.asyncDispose]() {
      (await prepared)?.transport.close();
    },
  };
}
