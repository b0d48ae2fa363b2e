import { type ExecutionResult, type GraphQLError, createSourceEventStream } from 'graphql';
import { LRUCache } from 'lru-cache';
import { CarillonError, unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import { type GraphQLContext, schema } from '../../schema/index.ts';
import type { Caller } from '../../services/caller.ts';
import { type EventSource, isEventSource } from '../../services/event-source.ts';
import { type RateLimits, pointsOfBytes, pointsOfDocument } from '../../services/rate-limits.ts';
import type { Services } from '../../services/services.ts';
import { asTenant } from '../../scope.ts';
import { activeSpan, apart, inChild } from '../../tracing/spans.ts';
import { Documents, type DocumentsOptions } from './documents.ts';
import { maskError, refusal, withStatus, withoutHttp } from './errors.ts';
import { Limits, type OperationLimits } from './limits.ts';
import type { Plan, Variables } from './plan.ts';
import { Projection } from './projection.ts';

/** What a client asks for, on whatever door. */
export interface OperationRequest {
  query?: unknown;
  operationName?: unknown;
  variables?: unknown;
  extensions?: unknown;
}

/** `get` may not change anything; `socket` and `post` may. */
export type Door = 'get' | 'post' | 'socket';

export interface OperationsOptions extends DocumentsOptions {
  services: Services;
  /** No limit when absent. */
  rateLimits?: RateLimits;
  metrics: Metrics;
  logger: Logger;
  limits: OperationLimits;
}

/** An operation that may be run. */
export interface Prepared {
  readonly plan: Plan;
  readonly contextValue: GraphQLContext;
  readonly variables: Variables | undefined;
}

export interface Refused {
  readonly errors: readonly GraphQLError[];
  /** Our own refusal behind them, if it was one: it may have to be kept back. */
  readonly cause?: CarillonError;
}

/** Who asks. What strangers ask for counts for their address. */
export interface Requester {
  readonly caller: Caller | undefined;
  readonly address?: string;
  /** What the request is worth before it is looked at. One, unless told. */
  readonly points?: number;
}

/** A subscription that has begun: its events, and what it makes of them. */
export interface Subscription {
  readonly source: EventSource<object>;
  readonly projection: Projection;
}

/**
 * Characters of variables by which projections are found, for those who come later to share; whoever has one keeps it.
 * Most results depend on no variable at all.
 */
const PROJECTION_CHARACTERS = 2 ** 18;

/**
 * The one way from a request to a result for every GraphQL door: parse, validate, limits, authorise, execute, mask.
 * Nothing here throws; a refusal is an answer to that one operation.
 */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #documents: Documents;
  readonly #limits: Limits;
  readonly #projections = new LRUCache<string, Projection>({
    maxSize: PROJECTION_CHARACTERS,
    sizeCalculation: (_projection, key) => key.length,
  });

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#documents = new Documents(options);
    this.#limits = new Limits(options.limits);
  }

  /** Everything before execution. `onSlow` is called when the operation is ended because its reader is too slow. */
  prepare(request: OperationRequest, requester: Requester, door: Door, onSlow?: () => void): Prepared | Refused {
    const { caller } = requester;
    try {
      const { query, operationName, variables, extensions } = request;
      // Before the document is looked at, which costs more than most operations.
      if (caller) this.#spend(requester, requester.points ?? 1, door);
      const plan = this.#documents.plan(query, operationName, extensions, (characters) =>
        this.#spend(requester, pointsOfDocument(characters), door),
      );
      if (plan.operation.operation === 'mutation' && door === 'get') {
        const http = { status: 405, headers: { Allow: 'POST' } };
        throw refusal('BAD_USER_INPUT', 'A mutation cannot be sent by GET; use POST.', http);
      }
      if (!caller && !plan.isPublic) {
        const http = { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } };
        throw refusal('UNAUTHENTICATED', unauthenticated('A token is needed.').message, http);
      }
      const given = (variables ?? undefined) as Variables | undefined;
      this.#limits.check(plan, given);
      const points = this.#points(plan, given);
      this.#spend(requester, points - 1, door);
      const contextValue = { caller, services: this.#options.services, onSlow };
      return { plan, contextValue, variables: given };
    } catch (error) {
      this.#options.metrics.operations.refused();
      if (error instanceof CarillonError) {
        return { errors: [withStatus(this.mask(error))], cause: error };
      }
      if (error instanceof AggregateError) return { errors: error.errors as GraphQLError[] };
      return { errors: [this.mask(error)] };
    }
  }

  /** @throws CarillonError RATE_LIMITED. */
  #spend({ caller, address }: Requester, points: number, door: Door): void {
    const { rateLimits } = this.#options;
    if (caller) rateLimits?.spend(caller, points, door === 'socket' ? 'graphql_ws' : 'graphql');
    else if (address !== undefined) rateLimits?.spendOfAddress(address, 'graphql', points);
  }

  /** Counts what an answer was worth beyond what could be foreseen: how long it is. */
  charge(caller: Caller | undefined, length: number): void {
    if (caller) this.#options.rateLimits?.charge(caller, pointsOfBytes(length));
  }

  #points(plan: Plan, variables: Variables | undefined): number {
    if (!this.#options.rateLimits?.isOn) return 1;
    return this.#limits.pointsOf(plan, variables);
  }

  #inTurn<T>({ contextValue: { caller } }: Prepared, work: () => Promise<T>): Promise<T> {
    const { rateLimits } = this.#options;
    return caller && rateLimits ? rateLimits.serve(caller, work) : work();
  }

  /** Executes a query or a mutation. */
  async run(prepared: Prepared): Promise<ExecutionResult> {
    const startMs = performance.now();
    const result = await this.#inTurn(prepared, () => this.#traced(prepared, () => this.#execute(prepared)));
    const { operation } = prepared.plan.operation;
    this.#options.metrics.operations.done(operation, startMs, result);
    return result;
  }

  /** In a span of its own, where a trace is under way. That of a subscription ends when it has begun. */
  #traced<T extends object>({ plan }: Prepared, work: () => Promise<T>): Promise<T> {
    if (!activeSpan()) return work();
    const { operation: type, name } = plan.operation;
    const attributes = { 'graphql.operation.type': type, 'graphql.operation.name': name?.value };
    return inChild(type, { attributes }, async (span) => {
      const result: T & Partial<Refused> = await work();
      const error = result.errors?.[0];
      if (error) span?.fail(String(error.extensions['code']));
      return result;
    });
  }

  async #execute({ plan, contextValue, variables }: Prepared): Promise<ExecutionResult> {
    try {
      return this.#masked(await inScopeOf(contextValue, () => plan.execute({ contextValue, variables })));
    } catch (error) {
      return { errors: [this.mask(error)] };
    }
  }

  /** Begins a subscription. Nothing is missed from the moment on in which this resolves. */
  async subscribe(prepared: Prepared): Promise<Subscription | Refused> {
    const startMs = performance.now();
    const begun = await this.#inTurn(prepared, () => this.#traced(prepared, () => this.#begin(prepared)));
    this.#options.metrics.operations.done('subscription', startMs, 'errors' in begun ? begun : {});
    return begun;
  }

  async #begin({ plan, contextValue, variables }: Prepared): Promise<Subscription | Refused> {
    try {
      const source = await inScopeOf(contextValue, () =>
        createSourceEventStream({
          schema,
          document: plan.document,
          contextValue,
          variableValues: variables,
          operationName: plan.operation.name?.value,
          hideSuggestions: !this.#options.introspection,
        }),
      );
      if ('errors' in source) return { errors: (source.errors ?? []).map((error) => this.mask(error)) };
      if (!isEventSource(source)) throw new Error('a subscription must resolve to an event source');
      return { source, projection: this.#projectionOf(plan, contextValue, variables) };
    } catch (error) {
      return { errors: [this.mask(error)] };
    }
  }

  mask(error: unknown): GraphQLError {
    return maskError(error, this.#options.logger);
  }

  /** The text of a result as clients get it. */
  readonly toJson = (result: ExecutionResult): string => resultText(this.#masked(result));

  #projectionOf(plan: Plan, contextValue: GraphQLContext, variables: Variables | undefined): Projection {
    if (!plan.isShareable) return new Projection(plan, contextValue, variables, this.toJson);
    const used = plan.resultVariables.map((name) => [name, variables?.[name]]);
    const { services } = this.#options;
    const key = JSON.stringify([plan.id, used]);
    const known = this.#projections.get(key);
    if (known) return known;
    // Nor is the id of one request told to others: those for whom it was executed first are not known.
    const toJson = (result: ExecutionResult) =>
      result.errors ? apart(() => this.toJson(result)) : this.toJson(result);
    const projection = new Projection(plan, { caller: undefined, services }, variables, toJson);
    this.#projections.set(key, projection);
    return projection;
  }

  #masked(result: ExecutionResult): ExecutionResult {
    return result.errors ? { ...result, errors: result.errors.map((error) => this.mask(error)) } : result;
  }
}

/** The caller's token was verified by the door. Who has none sees nothing of the database. */
const inScopeOf = <T>({ caller }: GraphQLContext, work: () => T): T =>
  caller ? asTenant(caller.tenantId, work) : work();

/** The text of a masked result, its errors first and without notes to Yoga. */
export function resultText({ errors, ...result }: ExecutionResult): string {
  return JSON.stringify(errors ? { errors: errors.map(withoutHttp), ...result } : result);
}
