import type { Urgency } from 'web-push';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import { type Channel, DeliveryFailure, type Outbound } from '../services/channel.ts';
import { cutText } from './cut-text.ts';
import { firstUnset } from './first-unset.ts';
import { createOutwardHttp, type OutwardHttp, refusal } from './outward-http.ts';
import { type PushSubscription, parsePushSubscription } from './push-subscription.ts';

const WHO = 'The push service';

/** Push services hold a message for a browser that is off; after three days it is old, and still in the inbox. */
const TTL_SECONDS = 259_200;

/** Of 4096 bytes that every push service takes, encryption needs 103 (RFC 8291 section 4, RFC 8188 section 2). */
const MOST_PAYLOAD_BYTES = 3993;
const MOST_TITLE_BYTES = 800;
const MOST_LINK_BYTES = 2000;

const URGENCIES: Record<Outbound['notification']['priority'], Urgency> = {
  LOW: 'low',
  NORMAL: 'normal',
  HIGH: 'high',
  URGENT: 'high',
};

/** Bytes of a text within JSON, without its quotes. */
const bytesInJson = (text: string): number => Buffer.byteLength(JSON.stringify(text)) - 2;

/** JSON for the page's service worker. What does not fit is cut: the content first of all, and a link not at all or whole. */
function payloadOf({ id, type, priority, title, content, link }: Outbound['notification']): string {
  const fields = {
    id,
    type,
    priority,
    title: cutText(title, MOST_TITLE_BYTES, '…', bytesInJson),
    link: link !== null && bytesInJson(link) <= MOST_LINK_BYTES ? link : null,
  };
  const left = MOST_PAYLOAD_BYTES - Buffer.byteLength(JSON.stringify({ ...fields, content: '' }));
  return JSON.stringify({ ...fields, content: cutText(content, left, '…', bytesInJson) });
}

/**
 * Messages to browsers (RFC 8030), encrypted for the one browser (RFC 8291) and signed with the server's key (RFC 8292).
 * An address is the JSON of a browser's PushSubscription. A push service only takes a message, and never tells whether it
 * arrived: SENT, without a reference. Attempts at one delivery replace each other while they are held there.
 */
export function createWebPushChannel(
  {
    vapidPublicKey,
    vapidPrivateKey,
    vapidSubject,
    webhookAllowPrivate,
  }: Pick<Config, 'vapidPublicKey' | 'vapidPrivateKey' | 'vapidSubject' | 'webhookAllowPrivate'>,
  _logger: Logger,
  http: OutwardHttp = createOutwardHttp({ who: WHO, privateToo: webhookAllowPrivate }),
): Channel {
  // Only where pushes are sent, as it brings an implementation of ASN.1 along; the first push does not wait for it.
  let library = vapidPrivateKey === undefined ? undefined : import('web-push');
  return {
    missingSetting: firstUnset({
      VAPID_PUBLIC_KEY: vapidPublicKey,
      VAPID_PRIVATE_KEY: vapidPrivateKey,
      VAPID_SUBJECT: vapidSubject,
    }),
    audience: 'recipient',
    selfService: true,
    address: (text) => JSON.stringify(parsePushSubscription(text, { privateToo: webhookAllowPrivate })),
    async deliver({ id, address, notification }, signal) {
      const subscription = JSON.parse(address) as PushSubscription;
      const { default: webPush } = await (library ??= import('web-push'));
      const { headers, body } = webPush.generateRequestDetails(subscription, payloadOf(notification), {
        vapidDetails: {
          subject: vapidSubject ?? '',
          publicKey: vapidPublicKey ?? '',
          privateKey: vapidPrivateKey ?? '',
        },
        TTL: TTL_SECONDS,
        urgency: URGENCIES[notification.priority],
        // At most 32 characters of base64url, which a UUID is without its dashes.
        topic: id.replaceAll('-', ''),
      });
      const answer = await http({
        method: 'POST',
        url: subscription.endpoint,
        headers,
        body,
        signal,
      });
      if (answer.status >= 200 && answer.status < 300) return { status: 'SENT' };
      if (answer.status === 404 || answer.status === 410) {
        throw new DeliveryFailure(`The browser’s subscription has ended (${answer.status}).`, { dropAddress: true });
      }
      throw refusal(WHO, answer);
    },
  };
}
