import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { type Channel, DeliveryFailure, type Outbound } from '../services/channel.ts';
import { createOutwardHttp, type OutwardHttp, outwardUrl, refusal } from './outward-http.ts';

const WHO = 'The webhook';
const SECRET_BYTES = 32;

/** The same on every attempt: only the headers tell attempts apart. */
function bodyOf({ notification }: Outbound): string {
  const { id, tenantId, recipientId, senderId, type, priority, title, content, link, data, createdAt } = notification;
  return JSON.stringify({
    type: 'notification.sent',
    timestamp: createdAt,
    data: { id, tenantId, recipientId, senderId, type, priority, title, content, link, data, createdAt },
  });
}

/**
 * Webhooks of a tenant, signed as Standard Webhooks says (https://www.standardwebhooks.com): one POST of JSON, with one
 * signature for each secret that is valid. Any 2xx is the end of a delivery. 410 Gone removes the address. Nothing of an
 * answer but its status and Retry-After is looked at.
 */
export function createWebhookChannel(
  { webhookAllowPrivate }: Pick<Config, 'webhookAllowPrivate'>,
  _logger: Logger,
  http: OutwardHttp = createOutwardHttp({ who: WHO, privateToo: webhookAllowPrivate }),
): Channel {
  return {
    missingSetting: undefined,
    audience: 'tenant',
    makeSecret: () => `whsec_${randomBytes(SECRET_BYTES).toString('base64')}`,
    address: (text) => outwardUrl(text, { privateToo: webhookAllowPrivate }),
    async deliver(outbound, signal) {
      if (outbound.secrets.length === 0) throw new Error('a webhook has no secret to sign with');
      const body = bodyOf(outbound);
      const now = new Date();
      const signatures = outbound.secrets.map((secret) => new Webhook(secret).sign(outbound.id, now, body));
      const answer = await http({
        method: 'POST',
        url: outbound.address,
        headers: {
          'content-type': 'application/json',
          'webhook-id': outbound.id,
          'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
          'webhook-signature': signatures.join(' '),
        },
        body,
        signal,
      });
      if (answer.status >= 200 && answer.status < 300) return { status: 'DELIVERED' };
      if (answer.status === 410) {
        throw new DeliveryFailure(`${WHO} is gone (410), and was removed.`, { dropAddress: true });
      }
      throw refusal(WHO, answer);
    },
  };
}
