import { IdempotencyKey } from './idempotency-key.ts';
import { Inbox } from './inbox.ts';
import { Notification } from './notification.ts';
import { RefreshToken } from './refresh-token.ts';
import { Revocation } from './revocation.ts';
import { Tombstone } from './tombstone.ts';
import { User } from './user.ts';

export { IdempotencyKey, Inbox, Notification, RefreshToken, Revocation, Tombstone, User };

export const entities = [Inbox, Notification, Tombstone, IdempotencyKey, User, RefreshToken, Revocation];
