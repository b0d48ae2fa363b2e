import { createHmac } from 'node:crypto';
import pg from 'pg';
import { EMBEDDED_NAME } from './postgres-home.ts';

/** Whom the server is to the embedded database: its owner, and no superuser, whom no row-level security binds. */
export const SERVER_ROLE = 'carillon_server';

/** The role's password: it follows from the superuser's, which does not follow from it. */
export const serverPassword = (superuserPassword: string): string =>
  createHmac('sha256', superuserPassword).update(SERVER_ROLE).digest('base64url');

/** PostgreSQL's codes for something that somebody else has just made: by its name, or by the index behind it. */
const MADE_MEANWHILE: ReadonlySet<unknown> = new Set(['42P04', '42710', '23505']);

/**
 * Makes the application's database, and the role that owns it, if they are not there yet. A database of a version that was
 * its superuser is given to the role, with all that is in it.
 *
 * @param client a connection of the superuser to any database.
 */
export async function createDatabase(client: pg.Client, superuserPassword: string): Promise<void> {
  const { rows } = await client.query<{ has_role: boolean; owner: string | null }>(
    `select exists (select from pg_roles where rolname = $1) as has_role,
       (select pg_get_userbyid(datdba) from pg_database where datname = $2) as owner`,
    [SERVER_ROLE, EMBEDDED_NAME],
  );
  const { has_role: hasRole = false, owner = null } = rows[0] ?? {};
  if (!hasRole) await make(client, `create role ${SERVER_ROLE} login password '${serverPassword(superuserPassword)}'`);
  if (owner === null) await make(client, `create database ${EMBEDDED_NAME} owner ${SERVER_ROLE}`);
  else if (owner !== SERVER_ROLE) await giveDatabase(client.host, client.port, superuserPassword);
}

async function make(client: pg.Client, statement: string): Promise<void> {
  await client.query(statement).catch((error: { code?: string }) => {
    if (!MADE_MEANWHILE.has(error.code)) throw error;
  });
}

/** Everything in the database that has an owner of its own. */
const GIVE_AWAY = `do $$
  declare
    statement text;
  begin
    for statement in
      with home as (
        select oid, nspname from pg_namespace where nspname in ('public', 'graphile_worker')
      ), thing as (
        select 'schema' as kind, quote_ident(nspname) as name from home where nspname <> 'public'
        union all
        select case relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end, c.oid::regclass::text
        from pg_class c join home on home.oid = c.relnamespace
        where relkind in ('r', 'p', 'v', 'S') and not exists (
          select from pg_depend d
          where d.classid = 'pg_class'::regclass and d.objid = c.oid and relkind = 'S' and d.deptype in ('a', 'i')
        )
        union all
        select 'routine', p.oid::regprocedure::text from pg_proc p join home on home.oid = p.pronamespace
        union all
        select 'type', t.oid::regtype::text
        from pg_type t join home on home.oid = t.typnamespace left join pg_class c on c.oid = t.typrelid
        where typtype in ('d', 'e') or c.relkind = 'c'
      )
      select format('alter %s %s owner to ${SERVER_ROLE}', kind, name) from thing
    loop
      execute statement;
    end loop;
    alter database ${EMBEDDED_NAME} owner to ${SERVER_ROLE};
  end
$$`;

async function giveDatabase(host: string, port: number, password: string): Promise<void> {
  const client = new pg.Client({ host, port, user: EMBEDDED_NAME, password, database: EMBEDDED_NAME });
  await client.connect();
  try {
    await client.query(GIVE_AWAY);
  } finally {
    await client.end();
  }
}
