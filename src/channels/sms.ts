import type { Logger } from '../logger.ts';
import type { Channel, Outbound, Outcome } from '../services/channel.ts';
import { cutText } from './cut-text.ts';
import { firstUnset } from './first-unset.ts';
import { createOutwardHttp } from './outward-http.ts';
import { createTwilio, type TwilioSettings } from './twilio.ts';

const WHO = 'The SMS provider';

/** Twilio's limit in UTF-16 units: about ten messages that arrive as one. */
const MOST_TEXT = 1600;

/** Who carries messages to phones. Failures are as `Channel` says. */
export interface SmsProvider {
  /** @param to E.164. */
  send(to: string, text: string, signal: AbortSignal): Promise<Outcome>;
  confirm(reference: string, signal: AbortSignal): Promise<Outcome | undefined>;
}

function textOf({ title, content }: Outbound['notification']): string {
  // Three dots: a "…" alone would halve how much fits into one message.
  return cutText(`${title}\n${content}`, MOST_TEXT, '...', (text) => text.length);
}

/** Text messages of title and content to one phone number each. The operator chooses where the provider is. */
export function createSmsChannel(settings: TwilioSettings, _logger: Logger): Channel {
  const provider: SmsProvider = createTwilio(WHO, settings, createOutwardHttp({ who: WHO, privateToo: true }));
  return {
    missingSetting: firstUnset({
      SMS_ACCOUNT_SID: settings.smsAccountSid,
      SMS_AUTH_TOKEN: settings.smsAuthToken,
      SMS_FROM: settings.smsFrom,
    }),
    audience: 'recipient',
    address(text) {
      const number = text.replace(/[\s().-]/g, '');
      if (!/^\+[1-9]\d{6,14}$/.test(number)) {
        throw new Error('must be a phone number with its country code, such as +442071838750');
      }
      return number;
    },
    deliver: ({ address, notification }, signal) => provider.send(address, textOf(notification), signal),
    confirm: (reference, signal) => provider.confirm(reference, signal),
  };
}
