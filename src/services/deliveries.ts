import { badInput, forbidden } from '../errors.ts';
import { Batcher } from './batcher.ts';
import { type Caller, hasRole } from './caller.ts';
import { type Contacts, normalized } from './contacts.ts';
import { reachDatabase } from './database-failure.ts';
import type { Delivery, Target } from './delivery.ts';
import type { DeliveryLog } from './delivery-log.ts';
import type { Notification } from './notification.ts';
import type { GivenAddress } from './notification-rules.ts';

/** Notifications whose deliveries one statement reads. */
const READ_TOGETHER = 500;

/** What goes out of the house: where to, and how it stands. */
export class Deliveries {
  readonly #contacts: Contacts;
  readonly #begin: () => void;
  readonly #reads: Batcher<string, Delivery[]>;

  /** `begin` sees to it that this instance makes attempts. */
  constructor(contacts: Contacts, log: DeliveryLog, begin: () => void) {
    this.#contacts = contacts;
    this.#begin = begin;
    this.#reads = new Batcher({
      write: (ids) => log.of(ids),
      maxBatch: READ_TOGETHER,
      maxInFlight: 2,
      maxQueued: Number.POSITIVE_INFINITY,
    });
  }

  /**
   * Where a send goes on these channels: to the addresses that are given for a channel, else to those that are kept.
   *
   * @throws CarillonError BAD_USER_INPUT for a channel that cannot be used here, naming the setting, for an address that
   * cannot be, and for a recipient who has none; FORBIDDEN when the caller may give no addresses.
   */
  async targets(
    caller: Caller,
    recipientId: string,
    channels: readonly string[],
    given: readonly GivenAddress[],
  ): Promise<Target[]> {
    const known = new Map(channels.map((name) => [name, this.#contacts.channel(name, 'channel')]));
    // Nobody proves that an address is the recipient's.
    if (given.length > 0 && !hasRole(caller, 'sender', 'admin')) {
      throw forbidden('Giving addresses with a send needs the role sender or admin.');
    }
    const targets = given.map(({ channel: name, address }): Target => {
      const channel = known.get(name);
      if (!channel) throw badInput('addresses', `addresses has one of ${name}, which is not among the channels.`);
      if (channel.audience === 'tenant') {
        throw badInput('addresses', `addresses has one of ${name}, whose addresses an admin of the tenant keeps.`);
      }
      return { channel: name, address: normalized(channel, address, 'addresses'), contactId: null };
    });
    const kept = channels.filter((name) => !given.some(({ channel }) => channel === name));
    if (kept.length > 0) targets.push(...(await this.#contacts.targets(caller.tenantId, recipientId, kept)));
    const missing = channels.find((name) => !targets.some(({ channel }) => channel === name));
    if (missing === undefined) return targets;
    const whose = known.get(missing)?.audience === 'tenant' ? 'The tenant' : 'The recipient';
    throw badInput('channel', `${whose} has no address for the channel ${missing}.`);
  }

  /** There is something to deliver. */
  begin(): void {
    this.#begin();
  }

  /** Where a notification went beside the inbox, and how that stands now. Those who may see it may see this. */
  async of({ id, channel }: Pick<Notification, 'id' | 'channel'>): Promise<Delivery[]> {
    return channel === 'IN_APP' ? [] : reachDatabase(this.#reads.add(id));
  }
}
