/** Statements of a migration that old code, or traffic on a large table, cannot live with; each with why not. */
const FORBIDDEN: readonly (readonly [RegExp, string])[] = [
  [/\bdrop\s+(table|column)\b/i, 'the version before still uses it: drop it one release later'],
  [/\brename\b/i, 'the version before knows the old name: add, fill, and drop one release later'],
  [/\bset\s+not\s+null\b/i, 'the version before writes nulls'],
  [
    /\badd\s+column\b(?=[^;]*\bnot\s+null\b)(?![^;]*\bdefault\b)/i,
    'the version before does not write it: give it a default',
  ],
  [/\balter\s+column\b[^;]*\btype\b/i, 'it rewrites the table under a lock'],
  [/^\s*update\s/i, 'it locks every row: fill in steps, beside the traffic'],
];

const LOCKING_INDEX = /\bcreate\s+(?:unique\s+)?index\s+(?!concurrently\b).*?\son\s+"?(\w+)"?/i;
const CREATED_TABLE = /\bcreate\s+table\s+"?(\w+)"?/i;

/** What is wrong with the statements of one migration. A table that it makes itself is empty, and may be locked. */
export function faultsOf(statements: readonly string[]): string[] {
  const made = new Set(statements.flatMap((sql) => CREATED_TABLE.exec(sql)?.[1] ?? []));
  return statements.flatMap((sql) => {
    const faults = FORBIDDEN.filter(([pattern]) => pattern.test(sql)).map(([, why]) => `${sql} — ${why}`);
    const table = LOCKING_INDEX.exec(sql)?.[1];
    const locks = table !== undefined && !made.has(table);
    return locks ? [...faults, `${sql} — it keeps writers out of ${table} meanwhile: create it concurrently`] : faults;
  });
}
