import type { ErrorCode } from '../../src/errors.ts';
import type { Stage } from './stage.ts';

export const doors = ['graphql', 'graphql_ws', 'rest', 'legacy_ws'] as const;
export type Door = (typeof doors)[number];

/** Served, refused by a code, or by the bare number of a close code or an HTTP status where there is no word for it. */
export type Verdict = 'OK' | ErrorCode | 'PERSISTED_QUERY_NOT_FOUND' | `${number}`;

/** What a door answered. */
export interface Heard {
  verdict: Verdict;
  /** The input that was named as being at fault, in the door's spelling. */
  field?: string | undefined;
  /** Everything that came, for looking into it. */
  text: string;
}

export type Carrier = (stage: Stage) => Promise<Heard>;

/** One hostile input: what is sent on each door that can carry it, and what must come of it. */
export interface Input {
  readonly name: string;
  readonly on: Readonly<Partial<Record<Door, Carrier>>>;
  /** One for all doors, or one for each where their protocols or their callers' habits differ. */
  readonly verdict: Verdict | Readonly<Partial<Record<Door, Verdict>>>;
}

export const verdictOn = ({ verdict }: Input, door: Door): Verdict | undefined =>
  typeof verdict === 'string' ? verdict : verdict[door];

/** A name that fits on a line, whatever is in it. */
export function named(...parts: readonly unknown[]): string {
  const text = parts.map((part) => (typeof part === 'string' ? part : JSON.stringify(part))).join(' ');
  return text.length > 100 ? `${text.slice(0, 80)}… (${text.length})` : text;
}
