import type { Contacts } from './contacts.ts';
import type { Deliveries } from './deliveries.ts';
import type { Notifications } from './notifications.ts';
import type { Presence } from './presence.ts';
import type { Typing } from './typing.ts';
import type { Recalls } from './recalls.ts';
import type { ScheduledSends } from './scheduled-sends.ts';
import type { Receipts } from './receipts.ts';
import type { SentNotifications } from './sent-notifications.ts';
import type { StatsReader } from './stats.ts';

/** What the product does, as the doors call it. */
export interface Services {
  readonly notifications: Notifications;
  readonly contacts: Contacts;
  readonly deliveries: Deliveries;
  readonly presence: Presence;
  readonly typing: Typing;
  readonly recalls: Recalls;
  readonly scheduled: ScheduledSends;
  readonly sent: SentNotifications;
  readonly receipts: Receipts;
  readonly stats: StatsReader;
}
