import { Query, type QueryConfig } from 'pg';

/**
 * Sets the scope of a connection; with `true`, until the end of the transaction. Each connection has it prepared before
 * it is used. See the policies, in the migration `row-level-security`.
 */
export const SET_SCOPE = { name: 'carillon_scope', text: "select set_config('carillon.scope', $1, $2)" };

/** The part of pg's connection that its types leave out. */
interface Connection {
  bind(given: { statement: string; values: string[] }): void;
  execute(given: object): void;
}

/** The part of pg's query that its types leave out: how it is sent, and what is called with each answer of the server. */
type Internals = new (
  config: QueryConfig & { queryMode: 'extended' },
  callback: (error: Error | null, result: unknown) => void,
) => {
  prepare(connection: Connection): void;
  handleDataRow(message: unknown): void;
  handleCommandComplete(message: unknown, connection: Connection): void;
};

/**
 * A statement that sets its scope first, in the same transaction and the same round trip: what a connection served before,
 * and what a pooler between has made of it, does not matter. What comes of setting the scope is dropped, as nobody asked.
 */
export class ScopedQuery extends (Query as unknown as Internals) {
  readonly #setting: string;
  #isScoped = false;

  constructor(config: QueryConfig, setting: string, callback: (error: Error | null, result: unknown) => void) {
    super({ ...config, queryMode: 'extended' }, callback);
    this.#setting = setting;
  }

  override prepare(connection: Connection): void {
    connection.bind({ statement: SET_SCOPE.name, values: [this.#setting, 'true'] });
    connection.execute({});
    super.prepare(connection);
  }

  override handleDataRow(message: unknown): void {
    if (this.#isScoped) super.handleDataRow(message);
  }

  override handleCommandComplete(message: unknown, connection: Connection): void {
    if (this.#isScoped) super.handleCommandComplete(message, connection);
    else this.#isScoped = true;
  }
}
