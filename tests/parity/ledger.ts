import { readdirSync } from 'node:fs';
import { withClient } from '../support/postgres.ts';

/** Tables that nothing of what is tried may write to. */
const STILL = ['app_user', 'contact', 'delivery', 'refresh_token', 'revocation', 'scheduled_send'] as const;

export interface Ledger {
  /** Of every notification, whoever has it. */
  ids: Set<string>;
  /** Rows of tables that nobody may have written to. */
  still: Record<string, number>;
  /** Idempotency keys that sends were made with. */
  keys: string[];
  /** All that vera has, with its state. */
  hers: string;
}

/** What the log holds, read past the server. */
export function readLedger(url: string): Promise<Ledger> {
  return withClient(url, async (client) => {
    const rows = async <Row extends object>(sql: string): Promise<Row[]> => (await client.query<Row>(sql)).rows;
    const ids = await rows<{ id: string }>('SELECT id FROM notification');
    const still: Record<string, number> = {};
    for (const table of STILL) {
      const [row] = await rows<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
      still[table] = row?.count ?? 0;
    }
    const keys = await rows<{ key: string }>('SELECT key FROM idempotency_key ORDER BY tenant_id, sender_id, key');
    const inbox = "SELECT * FROM inbox WHERE tenant_id = 'acme' AND user_id = 'vera'";
    const hers = [
      ...(await rows(inbox)),
      ...(await rows(`SELECT * FROM notification WHERE inbox_id = (SELECT id FROM (${inbox}) AS one) ORDER BY seq`)),
      ...(await rows("SELECT * FROM contact WHERE user_id = 'vera'")),
      ...(await rows('SELECT * FROM scheduled_send')),
    ];
    return {
      ids: new Set(ids.map(({ id }) => id)),
      still,
      keys: keys.map(({ key }) => key),
      hers: JSON.stringify(hers),
    };
  });
}

/** Open descriptors of this process, of which the server and its clients have theirs; sockets alone where there is no /proc. */
export function openDescriptors(): number {
  if (process.platform === 'linux') return readdirSync('/proc/self/fd').length;
  return process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCP')).length;
}
