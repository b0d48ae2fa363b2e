import { hashPassword } from '../src/services/password.ts';
import type { Inbox } from '../torture/population.ts';
import { withDatabase } from '../torture/table.ts';
import type { Act, Town } from './town.ts';

const PASSWORD = 'the same of everybody in the soak';

/** Gives the owner of each inbox an account, named like its id. */
export async function addAccounts(databaseUrl: string, inboxes: readonly Inbox[]): Promise<void> {
  const hash = await hashPassword(PASSWORD);
  await withDatabase(databaseUrl, (client) =>
    client.query(
      `insert into app_user (tenant_id, id, username, password_hash, roles, created_at)
       select tenant, id, id, $3, '{admin}', now() from unnest($1::text[], $2::text[]) as users (tenant, id)`,
      [inboxes.map(({ tenantId }) => tenantId), inboxes.map(({ userId }) => userId), hash],
    ),
  );
}

const post = (town: Town, path: string, body: unknown, may: readonly number[] = []) =>
  town.rest({ method: 'POST', path: `/api/v1/auth/${path}`, token: '', body }, may);

/** A session from its login, through a refresh, to its end. */
export const session: Act = async (town) => {
  const { userId: username, tenantId: tenant_id } = town.anybody();
  const { status, body } = await post(town, 'login', { username, password: PASSWORD, tenant_id });
  if (status !== 200) return;
  await town.ask({ token: body.access_token as string }, '{ unreadCount }');
  const refreshed = await post(town, 'refresh', { refresh_token: body.refresh_token });
  if (refreshed.status === 200 && town.random.chance(0.7)) {
    await post(town, 'logout', { refresh_token: refreshed.body.refresh_token });
  }
};

/** Whoever does not know the password, or has a token that is none. */
export const stranger: Act = async (town) => {
  const username = `nobody-${town.random.integer(0, 1e9)}`;
  await Promise.all([
    post(town, 'login', { username, password: 'wrong', tenant_id: 'tenant-0' }, [401]),
    town.ask({ token: `x.${town.random.integer(0, 1e9)}.y` }, '{ unreadCount }', { may: ['UNAUTHENTICATED'] }),
  ]);
};

const REFUSED = { may: ['BAD_USER_INPUT'] };

/** Whoever asks for what there is not: what is refused must leave nothing either. */
export const mistake: Act = async (town) => {
  const number = town.random.integer(0, 1e9);
  await Promise.all([
    town.ask(town.anybody(), `{ a${number}: nothing${number} }`, REFUSED),
    town.ask(town.anybody(), '{ unreadCount(', REFUSED),
    town.rest({ method: 'GET', path: `/api/v1/notifications/${number}`, token: town.anybody().token }, [404]),
  ]);
};
