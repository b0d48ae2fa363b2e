import { type ExecutionResult, type GraphQLError, createSourceEventStream } from 'graphql';
import { LRUCache } from 'lru-cache';
import { unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { type GraphQLContext, schema } from '../../schema/index.ts';
import type { Caller } from '../../services/caller.ts';
import { InboxListener } from '../../services/inbox-listener.ts';
import { Documents, type DocumentsOptions } from './documents.ts';
import { maskError, refusal, withoutHttp } from './errors.ts';
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
  notifications: GraphQLContext['notifications'];
  logger: Logger;
}

/** An operation that may be run. */
export interface Prepared {
  readonly plan: Plan;
  readonly contextValue: GraphQLContext;
  readonly variables: Variables | undefined;
}

export type Refused = { readonly errors: readonly GraphQLError[] };

/** A subscription that has begun: its events, and what it makes of them. */
export interface Subscription {
  readonly source: InboxListener;
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
  readonly #projections = new LRUCache<string, Projection>({
    maxSize: PROJECTION_CHARACTERS,
    sizeCalculation: (_projection, key) => key.length,
  });

  constructor(options: OperationsOptions) {
    this.#options = options;
    this.#documents = new Documents(options);
  }

  /** Everything before execution. `onSlow` is called when the operation is ended because its reader is too slow. */
  prepare(request: OperationRequest, caller: Caller | undefined, door: Door, onSlow?: () => void): Prepared | Refused {
    try {
      const { query, operationName, variables, extensions } = request;
      const plan = this.#documents.plan(query, operationName, extensions);
      if (plan.operation.operation === 'mutation' && door === 'get') {
        const http = { status: 405, headers: { Allow: 'POST' } };
        throw refusal('BAD_USER_INPUT', 'A mutation cannot be sent by GET; use POST.', http);
      }
      if (!caller && !plan.isPublic) {
        const http = { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } };
        throw refusal('UNAUTHENTICATED', unauthenticated('A token is needed.').message, http);
      }
      const contextValue = { caller, notifications: this.#options.notifications, onSlow };
      return { plan, contextValue, variables: (variables ?? undefined) as Variables | undefined };
    } catch (error) {
      if (error instanceof AggregateError) return { errors: error.errors as GraphQLError[] };
      return { errors: [this.mask(error)] };
    }
  }

  /** Executes a query or a mutation. */
  async run({ plan, contextValue, variables }: Prepared): Promise<ExecutionResult> {
    try {
      return this.#masked(await plan.execute({ contextValue, variables }));
    } catch (error) {
      return { errors: [this.mask(error)] };
    }
  }

  /** Begins a subscription. Nothing is missed from the moment on in which this resolves. */
  async subscribe({ plan, contextValue, variables }: Prepared): Promise<Subscription | Refused> {
    try {
      const source = await createSourceEventStream({
        schema,
        document: plan.document,
        contextValue,
        variableValues: variables,
        operationName: plan.operation.name?.value,
      });
      if ('errors' in source) return { errors: (source.errors ?? []).map((error) => this.mask(error)) };
      if (!(source instanceof InboxListener)) throw new Error('a subscription must resolve to a listener of an inbox');
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
    const { notifications } = this.#options;
    const key = JSON.stringify([plan.id, used]);
    const known = this.#projections.get(key);
    if (known) return known;
    const projection = new Projection(plan, { caller: undefined, notifications }, variables, this.toJson);
    this.#projections.set(key, projection);
    return projection;
  }

  #masked(result: ExecutionResult): ExecutionResult {
    return result.errors ? { ...result, errors: result.errors.map((error) => this.mask(error)) } : result;
  }
}

/** The text of a masked result, its errors first and without notes to Yoga. */
export function resultText({ errors, ...result }: ExecutionResult): string {
  return JSON.stringify(errors ? { errors: errors.map(withoutHttp), ...result } : result);
}
