import { Migration } from '@mikro-orm/migrations';

/** Tables whose rows are of a tenant each. */
const TABLES = [
  'app_user',
  'contact',
  'delivery',
  'idempotency_key',
  'inbox',
  'last_seen',
  'presence',
  'receipt',
  'refresh_token',
  'revocation',
  'scheduled_send',
  'sender_log',
  'tenant_activity',
];

/** Tables whose old rows know their inbox only, by a column that came later. */
const TABLES_OF_INBOXES = ['notification', 'tombstone'];

/**
 * The tenants of the scope; null for all of them. Read once for a statement, as it stands in a query of its own. Unset is
 * the scope of versions that know nothing of it, which go on beside this one for a while, and of people with psql. Where
 * this version has set it for a transaction that is over PostgreSQL leaves it empty: then there are no rows.
 */
const TENANTS = `(select case coalesce(current_setting('carillon.scope', true), 'all')
  when 'all' then null when '' then array[]::text[] else current_setting('carillon.scope')::text[] end)::text[]`;

const IS_IN_SCOPE = `coalesce("tenant_id" = any (${TENANTS}), true)`;

/**
 * The same, put so that the planner takes nearly every row to pass, as it does without a policy. Of most other conditions
 * that it cannot look into it expects half or less, and begins to sort what an index has in order.
 */
const passing = (condition: string): string => `nullif(${condition}, false) is not null`;

/**
 * Whether an inbox is in the scope, by its own policy. A function, and a cheap one to the planner, as a query within the
 * policy would make every row look dear, and so change the plans of all that reads them: few rows need it, and then none.
 */
const IS_VISIBLE = `create function "carillon_is_visible_inbox" (bigint) returns boolean
  language plpgsql stable parallel safe cost 0.1
  as $$ begin return exists (select from "inbox" where "id" = $1); end $$;`;

const IS_OF_INBOX_IN_SCOPE = `case when "tenant_id" is not null then ${IS_IN_SCOPE}
  else "carillon_is_visible_inbox"("inbox_id") end`;

/** Forced, as the owner of the tables would not be held to it. */
const wall = (table: string, condition: string): string => `
  create policy "carillon_scope" on "${table}" using (${passing(condition)});
  alter table "${table}" enable row level security, force row level security;`;

export class Migration20261125_row_level_security extends Migration {
  override name = 'Migration20261125_row_level_security';

  override up(): void | Promise<void> {
    this.addSql(IS_VISIBLE);
    for (const table of TABLES) this.addSql(wall(table, IS_IN_SCOPE));
    for (const table of TABLES_OF_INBOXES) this.addSql(wall(table, IS_OF_INBOX_IN_SCOPE));
  }

  override down(): void | Promise<void> {
    for (const table of [...TABLES, ...TABLES_OF_INBOXES]) {
      this.addSql(`alter table "${table}" no force row level security, disable row level security;`);
      this.addSql(`drop policy "carillon_scope" on "${table}";`);
    }
    this.addSql(`drop function "carillon_is_visible_inbox";`);
  }
}
