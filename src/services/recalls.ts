import type { Config } from '../config.ts';
import { CarillonError, notFound } from '../errors.ts';
import { type Caller, hasRole } from './caller.ts';
import { reachDatabase } from './database-failure.ts';
import type { Hub } from './hub.ts';
import type { InboxDepartures } from './inbox-departures.ts';
import type { InboxLog } from './inbox-log.ts';
import type { Notification } from './notification.ts';
import type { Rules } from './notification-rules.ts';

export interface RecallsOptions {
  config: Pick<Config, 'recallWindow'>;
  rules: Rules;
  log: InboxLog;
  departures: InboxDepartures;
  hub: Hub;
}

/** What was newly recalled. */
export interface RecallResult {
  readonly count: number;
  /** In the order in which they were given. */
  readonly ids: readonly string[];
}

/**
 * Taking back what was sent: it leaves the recipient's inbox, read or not, and stays for its sender as RECALLED. Its
 * sender may, and an admin of the tenant, within RECALL_WINDOW of its coming.
 */
export class Recalls {
  readonly #options: RecallsOptions;

  constructor(options: RecallsOptions) {
    this.#options = options;
  }

  /**
   * Recalls one; one that is recalled already stays as it is.
   *
   * @throws CarillonError NOT_FOUND for what is not there, or not the caller's to recall; CONFLICT when it is too late.
   */
  async recall(caller: Caller, id: string): Promise<Notification> {
    const known = this.#options.rules.id(id);
    if (known === undefined) throw notFound('notification');
    await this.#recall(caller, [known]);
    const found = await reachDatabase(this.#options.log.findSent(caller.tenantId, this.#senderOf(caller), known));
    if (!found) throw notFound('notification');
    if (found.status !== 'RECALLED') throw new CarillonError('CONFLICT', 'It is too late to recall this notification.');
    return found;
  }

  /**
   * Recalls those of the ids that `recall` would recall. Unknown, repeated, foreign, too old and recalled ones change
   * nothing. One event for each inbox.
   *
   * @throws CarillonError BAD_USER_INPUT when there are no ids, or too many.
   */
  async recallMany(caller: Caller, ids: readonly string[]): Promise<RecallResult> {
    const known = this.#options.rules.ids(ids);
    const recalled = await this.#recall(caller, known);
    return { count: recalled.size, ids: known.filter((id) => recalled.has(id)) };
  }

  async #recall(caller: Caller, ids: readonly string[]): Promise<Set<string>> {
    const { config, departures, hub } = this.#options;
    const scope = {
      tenantId: caller.tenantId,
      senderId: this.#senderOf(caller),
      windowMs: config.recallWindow,
    };
    const departed = await reachDatabase(departures.recall(ids, scope));
    for (const { address, event } of departed) hub.publish(address, event);
    return new Set(departed.flatMap(({ event }) => event.ids));
  }

  /** Whose notifications the caller may recall; `undefined` for those of everybody in the tenant. */
  #senderOf(caller: Caller): string | undefined {
    return hasRole(caller, 'admin') ? undefined : caller.userId;
  }
}
