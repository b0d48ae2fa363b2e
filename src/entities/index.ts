import { Contact } from './contact.ts';
import { Delivery } from './delivery.ts';
import { IdempotencyKey } from './idempotency-key.ts';
import { Inbox } from './inbox.ts';
import { Instance } from './instance.ts';
import { LastSeen } from './last-seen.ts';
import { Notification } from './notification.ts';
import { Presence } from './presence.ts';
import { Receipt } from './receipt.ts';
import { RefreshToken } from './refresh-token.ts';
import { Revocation } from './revocation.ts';
import { ScheduledSend } from './scheduled-send.ts';
import { SenderLog } from './sender-log.ts';
import { TenantActivity } from './tenant-activity.ts';
import { Tombstone } from './tombstone.ts';
import { User } from './user.ts';

export {
  Contact,
  Delivery,
  IdempotencyKey,
  Inbox,
  Instance,
  LastSeen,
  Notification,
  Presence,
  Receipt,
  RefreshToken,
  Revocation,
  ScheduledSend,
  SenderLog,
  TenantActivity,
  Tombstone,
  User,
};

export const entities = [
  Inbox,
  Notification,
  Tombstone,
  IdempotencyKey,
  User,
  RefreshToken,
  Revocation,
  Instance,
  Presence,
  LastSeen,
  ScheduledSend,
  Receipt,
  SenderLog,
  Contact,
  Delivery,
  TenantActivity,
];
