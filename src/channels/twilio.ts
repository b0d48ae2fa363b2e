import type { Config } from '../config.ts';
import { DeliveryFailure, type Outcome } from '../services/channel.ts';
import { type OutwardAnswer, type OutwardHttp, refusal } from './outward-http.ts';
import type { SmsProvider } from './sms.ts';

/** An answer is a small JSON object; Twilio's are about a kilobyte. */
const MOST_BYTES = 65_536;

/** The recipient has answered STOP: nothing may be sent to that number (https://www.twilio.com/docs/api/errors/21610). */
const UNSUBSCRIBED = 21_610;

/** Answers that the operator's settings are the cause of, and that pass when those are put right. */
const OF_THE_OPERATOR = [401, 403, 404];

export type TwilioSettings = Pick<Config, 'smsApiUrl' | 'smsAccountSid' | 'smsAuthToken' | 'smsFrom'>;

/** What is read of a Message resource, and of an error. */
interface Answer {
  sid?: unknown;
  status?: unknown;
  error_code?: unknown;
  code?: unknown;
}

function parse({ body }: OutwardAnswer): Answer {
  try {
    const value: unknown = JSON.parse(body);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}

function lost(code: unknown, what: string): DeliveryFailure {
  if (code === UNSUBSCRIBED) {
    return new DeliveryFailure(`The recipient has unsubscribed from messages (${code}).`, { dropAddress: true });
  }
  return new DeliveryFailure(typeof code === 'number' ? `${what} (${code}).` : `${what}.`, { permanent: true });
}

/**
 * Twilio's Messages resource, or another API of that shape (https://www.twilio.com/docs/messaging/api/message-resource).
 * It takes no key by which it could tell a repetition: when its answer to a message is lost, the next attempt sends another.
 */
export function createTwilio(who: string, settings: TwilioSettings, http: OutwardHttp): SmsProvider {
  const { smsApiUrl, smsAccountSid = '', smsAuthToken = '', smsFrom = '' } = settings;
  const messages = `${smsApiUrl}/2010-04-01/Accounts/${smsAccountSid}/Messages`;
  const authorization = `Basic ${Buffer.from(`${smsAccountSid}:${smsAuthToken}`).toString('base64')}`;
  const mostBytes = MOST_BYTES;

  function failureOf(answer: OutwardAnswer): DeliveryFailure {
    const { status, retryAfterSeconds } = answer;
    if (OF_THE_OPERATOR.includes(status)) {
      return new DeliveryFailure(`${who} refused this server (${status}).`, { retryAfterSeconds });
    }
    if (status === 400) return lost(parse(answer).code, `${who} refused the message`);
    return refusal(who, answer);
  }

  return {
    async send(to, text, signal) {
      const answer = await http({
        method: 'POST',
        url: `${messages}.json`,
        headers: { authorization, 'content-type': 'application/x-www-form-urlencoded' },
        body: new URLSearchParams({ To: to, From: smsFrom, Body: text }).toString(),
        signal,
        mostBytes,
      });
      if (answer.status < 200 || answer.status >= 300) throw failureOf(answer);
      const { sid } = parse(answer);
      return typeof sid === 'string' ? { status: 'SENT', reference: sid } : { status: 'SENT' };
    },
    async confirm(reference, signal): Promise<Outcome | undefined> {
      const url = `${messages}/${encodeURIComponent(reference)}.json`;
      const question = http({ method: 'GET', url, headers: { authorization }, signal, mostBytes });
      // A question that fails says nothing about the message, so it is no DeliveryFailure.
      const answer = await question.catch((cause: unknown) => {
        throw new Error(`${who} did not answer a question`, { cause });
      });
      if (answer.status !== 200) throw new Error(`${who} answered a question with status ${answer.status}`);
      const { status, error_code: code } = parse(answer);
      if (status === 'delivered' || status === 'read') return { status: 'DELIVERED' };
      if (status === 'failed' || status === 'undelivered' || status === 'canceled') {
        throw lost(code, 'The message could not be delivered');
      }
      return undefined;
    },
  };
}
