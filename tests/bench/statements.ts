import { Client } from 'pg';

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
}

/** Those that read or write the log; not the framing of transactions, nor settings. */
const OF_THE_LOG = /\b(notification|inbox|tombstone|receipt|sender_log|tenant_activity)\b/;

/** The forms in which `pg` takes a statement. */
function statementIn([first, second]: readonly unknown[]): Statement | undefined {
  const { text, values } = (typeof first === 'object' && first !== null ? first : { text: first }) as {
    text?: unknown;
    values?: unknown;
  };
  const bound = values ?? second;
  if (typeof text !== 'string' || !OF_THE_LOG.test(text)) return undefined;
  return { text, values: Array.isArray(bound) ? bound : [] };
}

/**
 * The statements about the log that this process sends through `pg` until `use` has resolved, as they are sent, whoever
 * builds them. Nothing else of this process may use the log meanwhile.
 */
export async function recordStatements(use: () => Promise<unknown>): Promise<Statement[]> {
  const recorded: Statement[] = [];
  // biome-ignore lint: the overloads of the library stay what they are
  const prototype = Client.prototype as { query: (...args: any[]) => any };
  const { query } = prototype;
  prototype.query = function (...args) {
    const statement = statementIn(args);
    if (statement) recorded.push(statement);
    return query.apply(this, args);
  };
  try {
    await use();
  } finally {
    prototype.query = query;
  }
  return recorded;
}
