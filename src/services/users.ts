import { randomUUID } from 'node:crypto';
import { UniqueConstraintViolationException } from '@mikro-orm/core';
import { z } from 'zod';
import type { MikroORM as Database, EntityManager } from '@mikro-orm/postgresql';
import { CarillonError, notFound } from '../errors.ts';
import { RefreshToken, Revocation, User } from '../entities/index.ts';
import { check, idRule, textRule } from './notification-rules.ts';
import { hashPassword } from './password.ts';

export interface UserRecord {
  id: string;
  tenantId: string;
  username: string;
  roles: string[];
}

export interface NewUser {
  tenantId: string;
  username: string;
  password: string;
  roles: readonly string[];
  /** A UUID when absent. */
  id?: string | undefined;
}

const MAX_PASSWORD_CHARACTERS = 1024;
const LEAST_PASSWORD_CHARACTERS = 8;

/** Access tokens of any issuer are over by then. */
export const REVOKED_FOR_MS = 30 * 24 * 3_600_000;

const newUserRule = z.object({
  tenantId: idRule('The tenant.'),
  username: idRule('The name to log in with.'),
  password: textRule(MAX_PASSWORD_CHARACTERS, 'The password.').refine(
    (password) => password.length >= LEAST_PASSWORD_CHARACTERS,
    { message: `must be at least ${LEAST_PASSWORD_CHARACTERS} characters long` },
  ),
  roles: z.array(z.string().regex(/^[A-Za-z0-9_.:-]{1,64}$/, 'must be letters, digits and _ . : - only')),
  id: idRule('The id.').optional(),
});

const toRecord = ({ id, tenantId, username, roles }: UserRecord): UserRecord => ({ id, tenantId, username, roles });

/** The people who log in here. */
export class Users {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  /** @throws CarillonError BAD_USER_INPUT with the field; CONFLICT when the tenant has that name or id already. */
  async add(input: NewUser): Promise<UserRecord> {
    const { password, ...user } = check(newUserRule, input);
    const record = { ...user, id: user.id ?? randomUUID() };
    try {
      const passwordHash = await hashPassword(password);
      await this.#database.em.fork().insert(User, { ...record, passwordHash, createdAt: new Date() });
    } catch (error) {
      if (!(error instanceof UniqueConstraintViolationException)) throw error;
      throw new CarillonError('CONFLICT', `${user.tenantId} has a user ${user.username} already.`, {
        field: 'username',
      });
    }
    return record;
  }

  /** Hashes a password, which has been found right for the hash that there is, as it is done today. */
  async renewHash({ tenantId, id }: UserRecord, password: string, passwordHash: string): Promise<void> {
    const renewed = await hashPassword(password);
    await this.#database.em.fork().nativeUpdate(User, { tenantId, id, passwordHash }, { passwordHash: renewed });
  }

  async list(tenantId: string): Promise<UserRecord[]> {
    const users = await this.#database.em.fork().find(User, { tenantId }, { orderBy: { username: 'asc' } });
    return users.map(toRecord);
  }

  /**
   * Removes a user with all sessions: tokens that are out are good no longer, and connections end within two seconds, on
   * every instance. The inbox stays.
   *
   * @throws CarillonError NOT_FOUND.
   */
  async remove(tenantId: string, username: string): Promise<void> {
    await this.#database.em.fork().transactional(async (em) => {
      const user = await em.findOne(User, { tenantId, username });
      if (!user) throw notFound('user');
      await em.nativeDelete(RefreshToken, { tenantId, userId: user.id });
      await em.nativeDelete(User, { tenantId, id: user.id });
      const expiresAt = new Date(Date.now() + REVOKED_FOR_MS);
      await em.insert(Revocation, {
        id: randomUUID(),
        tenantId,
        userId: user.id,
        sessionId: null,
        expiresAt,
      });
    });
  }

  /** Looks within the transaction of `em`, if one is given. */
  async byId(
    tenantId: string,
    id: string,
    em: EntityManager = this.#database.em.fork(),
  ): Promise<UserRecord | undefined> {
    const user = await em.findOne(User, { tenantId, id });
    return user ? toRecord(user) : undefined;
  }

  /** The one user of that name, in the tenant or, without one, in all; nobody when several share it. */
  async byName(username: string, tenantId?: string): Promise<(UserRecord & { passwordHash: string }) | undefined> {
    const where = tenantId === undefined ? { username } : { username, tenantId };
    const [user, second] = await this.#database.em.fork().find(User, where, { limit: 2 });
    return user && !second ? { ...toRecord(user), passwordHash: user.passwordHash } : undefined;
  }
}
