import {
  type DocumentNode,
  type ExecutionArgs,
  type ExecutionResult,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  execute,
  getOperationAST,
  parse,
  subscribe,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { type GraphQLContext, schema } from '../../schema/index.ts';
import type { Caller } from '../../services/caller.ts';
import { badRequest, maskError, refusal } from './errors.ts';

/** What a client asks for, on whatever door. */
export interface OperationRequest {
  query?: unknown;
  operationName?: unknown;
  variables?: unknown;
}

/** `get` may not change anything; `socket` and `post` may. */
export type Door = 'get' | 'post' | 'socket';

export interface OperationsOptions {
  notifications: GraphQLContext['notifications'];
  logger: Logger;
  /** Most tokens of one document: what a document can cost to parse and validate grows with them. */
  maxTokens: number;
}

export type Refused = { errors: readonly GraphQLError[] };
export type Outcome = ExecutionResult | AsyncIterableIterator<ExecutionResult>;

/**
 * Characters of document text that are remembered with their parsed and validated form, which may take a hundred bytes
 * for each of them: anybody can fill this, without a token.
 */
const DOCUMENT_CACHE_CHARACTERS = 2 ** 18;

/** The fields of a query that say nothing about anybody. */
const PUBLIC_FIELDS = new Set(['__typename', '__schema', '__type']);

/**
 * The one way from a request to a result for every GraphQL door: parse, validate, limits, authorise, execute, mask.
 * Nothing here throws; a refusal is an answer to that one operation.
 */
export class Operations {
  readonly #options: OperationsOptions;
  readonly #documents = new LRUCache<string, DocumentNode>({
    maxSize: DOCUMENT_CACHE_CHARACTERS,
    sizeCalculation: (_document, text) => text.length + 1,
  });

  constructor(options: OperationsOptions) {
    this.#options = options;
  }

  /** Everything before execution. `onSlow` is called when the operation is ended because its reader is too slow. */
  prepare(
    request: OperationRequest,
    caller: Caller | undefined,
    door: Door,
    onSlow?: () => void,
  ): ExecutionArgs | Refused {
    try {
      const { query, operationName, variables } = request;
      if (typeof query !== 'string') throw badRequest(new GraphQLError('The request has no query text.'));
      if (operationName != null && typeof operationName !== 'string') {
        throw refusal('BAD_USER_INPUT', 'operationName must be text.', { status: 400 });
      }
      const document = this.#document(query);
      const name = operationName ?? undefined;
      const operation = getOperationAST(document, name);
      if (!operation) throw badRequest(new GraphQLError(operationMissing(name)));
      if (operation.operation === 'mutation' && door === 'get') {
        const http = { status: 405, headers: { Allow: 'POST' } };
        throw refusal('BAD_USER_INPUT', 'A mutation cannot be sent by GET; use POST.', http);
      }
      if (!caller && !isPublic(operation, document)) {
        const http = { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } };
        throw refusal('UNAUTHENTICATED', unauthenticated('A token is needed.').message, http);
      }
      return {
        schema,
        document,
        contextValue: { caller, notifications: this.#options.notifications, onSlow } satisfies GraphQLContext,
        variableValues: variables as Record<string, unknown> | null,
        operationName: name ?? null,
      };
    } catch (error) {
      if (error instanceof AggregateError) return { errors: error.errors as GraphQLError[] };
      return { errors: [this.mask(error)] };
    }
  }

  /** Executes what `prepare` let through, a subscription as a stream of results that never throws. */
  async run(args: ExecutionArgs): Promise<Outcome> {
    try {
      const operation = getOperationAST(args.document, args.operationName);
      const outcome = operation?.operation === 'subscription' ? await subscribe(args) : await execute(args);
      return Symbol.asyncIterator in outcome ? this.#maskedStream(outcome) : this.maskResult(outcome);
    } catch (error) {
      return { errors: [this.mask(error)] };
    }
  }

  mask(error: unknown): GraphQLError {
    return maskError(error, this.#options.logger);
  }

  maskResult(result: ExecutionResult): ExecutionResult {
    return result.errors ? { ...result, errors: result.errors.map((error) => this.mask(error)) } : result;
  }

  #document(text: string): DocumentNode {
    const known = this.#documents.get(text);
    if (known) return known;
    const document = this.#parse(text);
    const errors = validate(schema, document);
    if (errors.length > 0) throw new AggregateError(errors.map(badRequest));
    this.#documents.set(text, document);
    return document;
  }

  #parse(text: string): DocumentNode {
    try {
      return parse(text, { maxTokens: this.#options.maxTokens });
    } catch (error) {
      if (error instanceof GraphQLError) throw badRequest(error);
      // The parser recurses; what is nested beyond the stack is as wrong as a syntax error.
      if (error instanceof RangeError) throw badRequest(new GraphQLError('The document is nested too deeply.'));
      throw error;
    }
  }

  #maskedStream(results: AsyncIterableIterator<ExecutionResult>): AsyncIterableIterator<ExecutionResult> {
    let ended = false;
    const end = { done: true as const, value: undefined };
    return {
      [Symbol.asyncIterator]() {
        return this;
      },
      next: async () => {
        if (ended) return end;
        try {
          const next = await results.next();
          return next.done ? end : { done: false, value: this.maskResult(next.value) };
        } catch (error) {
          ended = true;
          return { done: false, value: { errors: [this.mask(error)] } };
        }
      },
      return: async () => {
        ended = true;
        await results.return?.();
        return end;
      },
    };
  }
}

const operationMissing = (name: string | undefined): string =>
  name === undefined
    ? 'The document has several operations, or none: operationName must say which one to run.'
    : `The document has no operation named "${name.slice(0, 100)}".`;

/** Whether an operation can be answered to anybody: introspection, and nothing beside it. */
function isPublic(operation: OperationDefinitionNode, document: DocumentNode): boolean {
  if (operation.operation !== 'query') return false;
  const fragments = new Map(
    document.definitions.flatMap((one) => (one.kind === Kind.FRAGMENT_DEFINITION ? [[one.name.value, one]] : [])),
  );
  // Each fragment is looked into once: fragments that spread others twice would double the work at every step.
  const seen = new Set<string>();
  const holds = ({ selections }: OperationDefinitionNode['selectionSet']): boolean =>
    selections.every((selection) => {
      if (selection.kind === Kind.FIELD) return PUBLIC_FIELDS.has(selection.name.value);
      if (selection.kind === Kind.INLINE_FRAGMENT) return holds(selection.selectionSet);
      const name = selection.name.value;
      if (seen.has(name)) return true;
      seen.add(name);
      const fragment = fragments.get(name);
      return fragment !== undefined && holds(fragment.selectionSet);
    });
  return holds(operation.selectionSet);
}
