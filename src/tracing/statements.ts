import { activeSpan, inSpan } from './spans.ts';

/** Statement texts of a server: a few dozen. */
const MAX_REMEMBERED = 500;
const summaries = new Map<string, string>();

/** Sends a statement, in a span that says what it does to which tables; its text and its values are in none. */
export function inStatement<T>(text: string, send: () => T): T {
  const span = activeSpan();
  if (!span) return send();
  const summary = summaryOf(text);
  const attributes = { 'db.system.name': 'postgresql', 'db.query.summary': summary };
  return inSpan(span.child(summary, { kind: 'client', attributes }), send);
}

function summaryOf(text: string): string {
  const known = summaries.get(text);
  if (known !== undefined) return known;
  const summary = summarize(text);
  if (summaries.size < MAX_REMEMBERED) summaries.set(text, summary);
  return summary;
}

/** `INSERT inbox INSERT notification`: the changes and their tables, or else what is read; see db.query.summary. */
function summarize(text: string): string {
  const changes = [
    ...text.matchAll(
      /\b(insert)\s+into\s+"?(\w+)|\b(delete)\s+from\s+"?(\w+)|\b(update)\s+"?(\w+)"?\s+(?:as\s+\w+\s+|\w+\s+)?set\b/gi,
    ),
  ];
  if (changes.length > 0) {
    return changes
      .map(([, ...words]) => words.filter(Boolean))
      .map(([verb = '', table]) => `${verb.toUpperCase()} ${table}`)
      .join(' ');
  }
  const named = new Set(
    [...text.matchAll(/\b(\w+)\s+as\s+(?:not\s+)?(?:materialized\s+)?\(/gi)].map(([, name]) => name),
  );
  const tables = [...text.matchAll(/\b(?:from|join)\s+"?(\w+)\b(?!"?\s*\()/gi)].map(([, name]) => name);
  const table = tables.find((name) => !named.has(name));
  const verb = /\w+/.exec(text)?.[0].toUpperCase() ?? '';
  if (table === undefined) return verb;
  return `SELECT ${table}`;
}
