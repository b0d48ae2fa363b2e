import { Client } from 'pg';
import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';

/**
 * Warns when the role of `url` is one that no row-level security binds, although the settings ask for it: statements are
 * then held to their tenants by nobody but this program. Never rejects for that; the server serves all the same.
 */
export async function warnOfBypass(
  { rowLevelSecurity }: Pick<Config, 'rowLevelSecurity'>,
  url: string,
  logger: Logger,
): Promise<void> {
  if (rowLevelSecurity === 'off') return;
  const client = new Client({ connectionString: url, application_name: 'carillon' });
  await client.connect();
  try {
    const { rows } = await client.query<{ role: string; is_free: boolean }>(
      'select rolname as role, rolsuper or rolbypassrls as is_free from pg_roles where rolname = current_user',
    );
    const [row] = rows;
    if (!row?.is_free) return;
    logger.warn(
      { role: row.role },
      `row-level security does not bind ${row.role}, a superuser or a role with BYPASSRLS: connect as another role (docs/security.md), or set ROW_LEVEL_SECURITY=off`,
    );
  } finally {
    await client.end();
  }
}
