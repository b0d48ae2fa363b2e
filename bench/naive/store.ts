import { Pool } from 'pg';

export interface Person {
  readonly tenantId: string;
  readonly userId: string;
}

export interface Content {
  readonly type: string;
  readonly title: string;
  readonly content: string;
  readonly priority: string;
}

interface Row extends Content {
  id: string;
  read_at: Date | null;
  created_at: Date;
}

/** One table, with an index for the list and one for the count. */
export const TABLE = `
  create table if not exists notification (
    id bigint generated always as identity primary key,
    tenant_id text not null,
    user_id text not null,
    type text not null,
    title text not null,
    content text not null,
    priority text not null,
    read_at timestamptz,
    created_at timestamptz not null default now()
  );
  create index if not exists notification_list on notification (tenant_id, user_id, created_at desc, id desc);
  create index if not exists notification_unread on notification (tenant_id, user_id) where read_at is null`;

/** The same rows for `$3` notifications of one inbox as Carillon is given: every second one unread. */
export const FILL = `
  insert into notification (tenant_id, user_id, type, title, content, priority, read_at, created_at)
  select $1, $2, 'SYSTEM', 'Notification ' || place,
    'It was written by a program, to see how a large inbox behaves. It is as long as many are.', 'NORMAL',
    case when place % 2 = 0 then null else clock_timestamp() end, clock_timestamp()
  from generate_series(1, $3::int) place`;

const COLUMNS = 'id, type, title, content, priority, read_at, created_at';

const toNotification = ({ read_at, created_at, ...row }: Row) => ({
  ...row,
  isRead: read_at !== null,
  createdAt: created_at.toISOString(),
});

/** One row a statement, and counting by counting. */
export class Store {
  readonly #pool: Pool;

  private constructor(pool: Pool) {
    this.#pool = pool;
  }

  static async open(connectionString: string, max: number): Promise<Store> {
    const pool = new Pool({ connectionString, max });
    await pool.query(TABLE);
    return new Store(pool);
  }

  async add({ tenantId, userId }: Person, { type, title, content, priority }: Content) {
    const { rows } = await this.#pool.query<Row>(
      `insert into notification (tenant_id, user_id, type, title, content, priority)
       values ($1, $2, $3, $4, $5, $6) returning ${COLUMNS}`,
      [tenantId, userId, type, title, content, priority],
    );
    return toNotification(rows[0]!);
  }

  async countUnread({ tenantId, userId }: Person): Promise<number> {
    const { rows } = await this.#pool.query<{ count: number }>(
      'select count(*)::int as count from notification where tenant_id = $1 and user_id = $2 and read_at is null',
      [tenantId, userId],
    );
    return rows[0]!.count;
  }

  async newest({ tenantId, userId }: Person, most: number) {
    const { rows } = await this.#pool.query<Row>(
      `select ${COLUMNS} from notification where tenant_id = $1 and user_id = $2
       order by created_at desc, id desc limit $3`,
      [tenantId, userId, most],
    );
    return rows.map(toNotification);
  }
}
