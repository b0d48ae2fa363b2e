import type { MikroORM as Database } from '@mikro-orm/postgresql';
import { sql } from 'kysely';
import { v7 as uuidv7 } from 'uuid';
import { badInput, forbidden, notFound } from '../errors.ts';
import { type Caller, hasRole } from './caller.ts';
import type { Channel } from './channel.ts';
import { reachDatabase } from './database-failure.ts';
import type { ChannelRegistry } from './deliverer.ts';
import type { Target } from './delivery.ts';
import { milliseconds } from './notification.ts';
import { type Rules, check, idRule } from './notification-rules.ts';

/** Where a user, or everybody of a tenant, is reached through a channel. */
export interface Contact {
  readonly id: string;
  /** Null for what is told of everybody in the tenant. */
  readonly userId: string | null;
  readonly channel: string;
  readonly address: string;
  readonly createdAt: Date;
}

/** A contact, and the secret that deliveries there are signed with from now on. */
export interface ContactWithSecret {
  readonly contact: Contact;
  /** Null for channels that sign nothing. */
  readonly secret: string | null;
}

export interface NewContact {
  channel: string;
  address: string;
  userId?: string | null | undefined;
}

interface ContactRow {
  id: string;
  user_id: string | null;
  channel: string;
  address: string;
  created_at_ms: number;
}

export interface ContactsOptions {
  database: Database;
  channels: ChannelRegistry;
  rules: Rules;
  /** What browsers subscribe to pushes with. */
  webPushKey: string | undefined;
}

/** Of one user, or of a tenant, on all channels together. */
const MOST = 50;

/** After a rotation deliveries are signed with both secrets for this long. */
const OVERLAP_HOURS = 24;

const userRule = idRule('Whose contact it is.');

const columns = sql`id, user_id, channel, address, ${milliseconds('created_at')} as created_at_ms`;

const toContact = (row: ContactRow): Contact => ({
  id: row.id,
  userId: row.user_id,
  channel: row.channel,
  address: row.address,
  createdAt: new Date(row.created_at_ms),
});

/**
 * The addresses of users and tenants outside. Nobody proves that an address is theirs, so admins of the tenant keep them;
 * where having an address is the proof, as with a browser's push subscription, users keep their own.
 */
export class Contacts {
  readonly #options: ContactsOptions;

  constructor(options: ContactsOptions) {
    this.#options = options;
  }

  get #db() {
    return this.#options.database.em.getConnection().getClient();
  }

  get webPushKey(): string | undefined {
    return this.#options.webPushKey;
  }

  /**
   * Adds an address, of the caller unless another user is named; adding one that is there already changes nothing but
   * its secret, if the channel signs.
   *
   * @throws CarillonError FORBIDDEN when it is not the caller's to add; BAD_USER_INPUT for the channel or the address,
   * and when there are fifty.
   */
  async add(caller: Caller, { channel: name, address, userId }: NewContact): Promise<ContactWithSecret> {
    const channel = this.channel(name, 'channel');
    const owner = channel.audience === 'tenant' ? null : (userId ?? caller.userId);
    if (channel.audience === 'tenant' && userId != null) {
      throw badInput('userId', `userId must be left out: addresses of ${name} are the tenant’s.`);
    }
    if (owner !== null) check(userRule, owner, 'userId');
    mustKeep(caller, channel, owner);
    const spelling = normalized(channel, address, 'address');
    const secret = channel.makeSecret?.() ?? null;
    const { rows } = await reachDatabase(
      sql<ContactRow>`
        insert into contact (id, tenant_id, user_id, channel, address, secret, created_at)
        select ${uuidv7()}::uuid, ${caller.tenantId}, ${owner}::text, ${name}, ${spelling}, ${secret}::text, now()
        where (
          select count(*) from contact where tenant_id = ${caller.tenantId} and user_id is not distinct from ${owner}::text
            and not (channel = ${name} and address = ${spelling})
        ) < ${MOST}
        on conflict (tenant_id, user_id, channel, md5(address)) do update set secret = excluded.secret,
          previous_secret = contact.secret, previous_until = now() + ${OVERLAP_HOURS}::int * interval '1 hour'
        returning ${columns}
      `.execute(this.#db),
    );
    if (!rows[0]) throw badInput('address', `address would be one too many: at most ${MOST} are kept.`);
    return { contact: toContact(rows[0]), secret };
  }

  /**
   * Removes an address; what waits to be delivered there fails.
   *
   * @throws CarillonError NOT_FOUND when it is not there, or not the caller's to remove.
   */
  async remove(caller: Caller, id: string): Promise<Contact> {
    const contact = await this.#find(caller, id);
    await reachDatabase(sql`delete from contact where id = ${contact.id}::uuid`.execute(this.#db));
    return contact;
  }

  /**
   * Gives an address a new secret. Deliveries are signed with both for a day.
   *
   * @throws CarillonError NOT_FOUND as `remove` does; BAD_USER_INPUT for a channel that signs nothing.
   */
  async rotateSecret(caller: Caller, id: string): Promise<ContactWithSecret> {
    const contact = await this.#find(caller, id);
    const secret = this.#options.channels.get(contact.channel)?.makeSecret?.();
    if (secret === undefined) throw badInput('id', `id is of a channel that signs nothing, ${contact.channel}.`);
    await reachDatabase(
      sql`
        update contact set previous_secret = secret, secret = ${secret},
          previous_until = now() + ${OVERLAP_HOURS}::int * interval '1 hour'
        where id = ${contact.id}::uuid
      `.execute(this.#db),
    );
    return { contact, secret };
  }

  /**
   * The addresses of the caller, or, for admins, of anybody; without a user, for admins, those of the tenant as well.
   *
   * @throws CarillonError FORBIDDEN for those of others.
   */
  async list(caller: Caller, userId?: string | null): Promise<Contact[]> {
    const isAdmin = hasRole(caller, 'admin');
    const owner = userId ?? caller.userId;
    if (owner !== caller.userId && !isAdmin) throw forbidden('The contacts of others need the role admin.');
    const { rows } = await reachDatabase(
      sql<ContactRow>`
        select ${columns} from contact
        where tenant_id = ${caller.tenantId} and (user_id = ${owner} or (user_id is null and ${isAdmin && userId == null}))
        order by id
      `.execute(this.#db),
    );
    return rows.map(toContact);
  }

  /** Where a user is reached through these channels, those of the tenant included. */
  async targets(tenantId: string, userId: string, channels: readonly string[]): Promise<Target[]> {
    const { rows } = await reachDatabase(
      sql<{ id: string; channel: string; address: string }>`
        select id, channel, address from contact
        where tenant_id = ${tenantId} and (user_id = ${userId} or user_id is null) and channel = any(${channels}::text[])
        order by id
      `.execute(this.#db),
    );
    return rows.map(({ id, channel, address }) => ({ contactId: id, channel, address }));
  }

  /** @throws CarillonError BAD_USER_INPUT, naming the setting that is missing. */
  channel(name: string, field: string): Channel {
    const channel = this.#options.channels.get(name);
    if (!channel) throw badInput(field, `${field} ${name} is not known on this server.`);
    if (channel.missingSetting !== undefined) {
      throw badInput(field, `${field} ${name} is not configured on this server: ${channel.missingSetting} is not set.`);
    }
    return channel;
  }

  async #find(caller: Caller, id: string): Promise<Contact> {
    const known = this.#options.rules.id(id);
    const { rows } =
      known === undefined
        ? { rows: [] }
        : await reachDatabase(
            sql<ContactRow>`
              select ${columns} from contact where id = ${known}::uuid and tenant_id = ${caller.tenantId}
            `.execute(this.#db),
          );
    const contact = rows[0] && toContact(rows[0]);
    if (!contact || !mayKeep(caller, this.#options.channels.get(contact.channel), contact.userId)) {
      throw notFound('contact');
    }
    return contact;
  }
}

/** The address in the channel's spelling. @throws CarillonError BAD_USER_INPUT that says what is wrong. */
export function normalized(channel: Channel, address: string, field: string): string {
  try {
    return channel.address(address);
  } catch (error) {
    // A fault of the program is nobody's input.
    if (!(error instanceof Error) || Object.getPrototypeOf(error) !== Error.prototype) throw error;
    throw badInput(field, `${field} ${error.message}.`.replace(/\.\.$/, '.'));
  }
}

const mayKeep = (caller: Caller, channel: Channel | undefined, owner: string | null): boolean =>
  hasRole(caller, 'admin') || (owner === caller.userId && channel?.selfService === true);

function mustKeep(caller: Caller, channel: Channel, owner: string | null): void {
  if (!mayKeep(caller, channel, owner)) throw forbidden('Adding this address needs the role admin.');
}
