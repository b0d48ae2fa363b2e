import { CarillonError } from '../errors.ts';
import type { Metrics } from '../metrics/metrics.ts';
import type { InboxEvent } from './inbox-event.ts';
import type { Notification } from './notification.ts';
import type { SendItem, SendResult } from './send-item.ts';
import type { TenantActivity } from './tenant-activity.ts';

type Write = (items: readonly SendItem[]) => Promise<readonly (SendResult | CarillonError)[]>;

/** Takes note of what is done, for the metrics of operators and for the statistics of tenants. Never waits, never fails. */
export class Activity {
  readonly #metrics: Metrics;
  readonly #tenants: TenantActivity;
  readonly #refusals = new WeakSet<object>();

  constructor(metrics: Metrics, tenants: TenantActivity) {
    this.#metrics = metrics;
    this.#tenants = tenants;
  }

  /** The same, with each statement and what it stored counted. */
  counting(write: Write): Write {
    return async (items) => {
      const results = await this.#metrics.batches.during(items.length, write(items));
      for (const result of results) {
        if (result instanceof CarillonError) continue;
        if (result.event) this.sent(result.notification);
        else this.#metrics.sent(result.notification, 'repeated');
      }
      return results;
    };
  }

  /** `count` answers how many sends wait for a statement. */
  watchQueue(count: () => number): void {
    this.#metrics.batches.waiting = count;
  }

  /** A notification came to an inbox. */
  sent(notification: Notification): void {
    this.#metrics.sent(notification, 'ok');
    this.#tenants.sent(notification);
  }

  /** A send was refused. Sends that shared a statement may share its error. */
  refused(error: unknown): void {
    if (typeof error === 'object' && error !== null) this.#refusals.add(error);
    this.#metrics.sendRefused(error instanceof CarillonError ? error.code : 'INTERNAL_SERVER_ERROR');
  }

  /** A door answers a send with this error: counted unless it came by `refused` before. */
  refusedAtDoor(error: object): void {
    if (!this.#refusals.has(error)) this.refused(error);
  }

  /** The owner of an inbox changed it. */
  changed(tenantId: string, event: InboxEvent): void {
    if (event.kind === 'read') this.#tenants.read(tenantId, event.ids, true);
    else if (event.kind === 'updated') this.#tenants.read(tenantId, [event.notification.id], false);
  }
}
