import { AsyncLocalStorage } from 'node:async_hooks';
import { types } from 'node:util';
import { CarillonError } from '../errors.ts';
import { inLogScope } from '../logger.ts';

export type SpanKind = 'internal' | 'server' | 'client' | 'producer' | 'consumer';

/** By the names of OpenTelemetry's semantic conventions, or `carillon.*`. Never of people: no names, titles, contents, users. */
export type Attributes = Readonly<Record<string, string | number | undefined>>;

export interface SpanOptions {
  kind?: SpanKind;
  attributes?: Attributes;
}

/** A span that is under way and will be told. */
export interface ActiveSpan {
  /** What continues the trace elsewhere, in the form of W3C Trace Context. */
  readonly traceparent: string;
  child(name: string, options?: SpanOptions): ActiveSpan;
  /** The same span, but its children are linked to all of these: they do the work of each. */
  linking(spans: readonly ActiveSpan[]): ActiveSpan;
  rename(name: string): void;
  set(attributes: Attributes): void;
  /** What it does has failed; `type` is a code, or the name of a class. */
  fail(type: string): void;
  end(): void;
}

/** Only where traces are made, and only for what is part of one. */
const active = new AsyncLocalStorage<ActiveSpan | undefined>();

/** The span that this is called in. */
export const activeSpan = (): ActiveSpan | undefined => active.getStore();

/** Does the work in a span that somebody else ends. */
export const under = <T>(span: ActiveSpan | undefined, work: () => T): T => (span ? active.run(span, work) : work());

/** Does the work, and whatever that begins, in no span and no log scope: it goes on for itself. */
export const apart = <T>(work: () => T): T =>
  inLogScope(undefined, () => (activeSpan() ? active.run(undefined, work) : work()));

/** Does the work in a new span under the one that is under way; without one only does the work. */
export const inChild = <T>(name: string, options: SpanOptions, work: (span: ActiveSpan | undefined) => T): T =>
  inSpan(activeSpan()?.child(name, options), work);

/** Does the work in a span, which ends with it: where it answers with a promise, when that is settled. */
export function inSpan<T>(span: ActiveSpan | undefined, work: (span: ActiveSpan | undefined) => T): T {
  if (!span) return work(undefined);
  const failed = (error: unknown): void => {
    span.fail(errorType(error));
    span.end();
  };
  try {
    const result = active.run(span, () => work(span));
    if (types.isPromise(result)) result.then(() => span.end(), failed);
    else span.end();
    return result;
  } catch (error) {
    failed(error);
    throw error;
  }
}

/** Does work for all who asked, in the trace of the first of them, with links to everyone's spans. */
export function together<T>(askers: readonly (ActiveSpan | undefined)[], work: () => T): T {
  const spans = askers.filter((span) => span !== undefined);
  const [first] = spans;
  if (first) return active.run(first.linking(spans), work);
  // Whoever set it off may be another one, of an earlier batch.
  return activeSpan() ? active.run(undefined, work) : work();
}

/** An error by its code (ours, PostgreSQL's, Node's) or its class. Messages may quote what people wrote. */
function errorType(error: unknown): string {
  if (error instanceof CarillonError) return error.code;
  if (!(error instanceof Error)) return '_OTHER';
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : error.name;
}
