import { createHash } from 'node:crypto';
import {
  type DocumentNode,
  GraphQLError,
  NoSchemaIntrospectionCustomRule,
  type OperationDefinitionNode,
  getOperationAST,
  parse,
  specifiedRules,
  validate,
} from 'graphql';
import { LRUCache } from 'lru-cache';
import { schema } from '../../schema/index.ts';
import { badRequest, refusal } from './errors.ts';
import { Plan, type PlanOptions } from './plan.ts';
import { type SizeLimits, checkSize } from './size.ts';

export interface DocumentsOptions {
  /** Most tokens of one document: what a document can cost to parse and validate grows with them. */
  maxTokens: number;
  /** Of documents, before they are validated. */
  limits: SizeLimits;
  /** Whether the schema may be asked for, and errors name fields that may have been meant. */
  introspection: boolean;
  /** The texts of the only documents that are served; all when absent. */
  trusted?: readonly string[] | undefined;
  /** Executions before an operation is compiled; that of the product unless a test says otherwise. */
  compileAfter?: number | undefined;
}

/**
 * Characters of document text that are remembered with their parsed and validated form, which may take a hundred bytes
 * for each of them: anybody can fill this, without a token.
 */
const DOCUMENT_CACHE_CHARACTERS = 2 ** 18;

/** Of one document; each takes as long to make as a good document to validate. graphql-js says so where there are more. */
const MOST_ERRORS = 10;

/** Characters of documents that clients registered by their hash; those are kept as text. */
const REGISTERED_CHARACTERS = 2 ** 20;

const RULES_WITHOUT_INTROSPECTION = [...specifiedRules, NoSchemaIntrospectionCustomRule];

/** What is thrown here is the answer. */
type OnUnknown = (characters: number) => void;

/** A valid document. */
class Document {
  readonly #node: DocumentNode;
  readonly #options: PlanOptions;
  readonly #plans = new Map<OperationDefinitionNode, Plan>();

  constructor(node: DocumentNode, options: PlanOptions) {
    this.#node = node;
    this.#options = options;
  }

  /** @throws GraphQLError when no operation has that name, or no name is given and there is not exactly one. */
  plan(operationName: string | undefined): Plan {
    const operation = getOperationAST(this.#node, operationName);
    if (!operation) throw badRequest(new GraphQLError(operationMissing(operationName)));
    let plan = this.#plans.get(operation);
    if (!plan) {
      plan = new Plan(this.#node, operation, this.#options);
      this.#plans.set(operation, plan);
    }
    return plan;
  }
}

/** Documents by their text, parsed and validated once; and texts by their hash, for clients that register them. */
export class Documents {
  readonly #options: DocumentsOptions;
  readonly #known = new LRUCache<string, Document>({
    maxSize: DOCUMENT_CACHE_CHARACTERS,
    sizeCalculation: (_document, text) => text.length + 1,
  });
  readonly #registered = new LRUCache<string, string>({
    maxSize: REGISTERED_CHARACTERS,
    sizeCalculation: (text) => text.length + 1,
  });

  /** By the SHA-256 of their text in hexadecimal. */
  readonly #trusted: ReadonlyMap<string, string> | undefined;

  constructor(options: DocumentsOptions) {
    this.#options = options;
    this.#trusted = options.trusted && new Map(options.trusted.map((text) => [hashOf(text), text]));
  }

  /**
   * The operation that a request is for. `onUnknown` is called before a text is parsed that is not remembered.
   *
   * @throws GraphQLError, or an AggregateError of several, that says what is wrong with the request.
   */
  plan(query: unknown, operationName: unknown, extensions: unknown, onUnknown: OnUnknown = () => {}): Plan {
    const hash = hashIn(extensions);
    const text = hash !== undefined && !query ? this.#textOf(hash) : query;
    if (typeof text !== 'string') throw badRequest(new GraphQLError('The request has no query text.'));
    if (operationName != null && typeof operationName !== 'string') {
      throw refusal('BAD_USER_INPUT', 'operationName must be text.', { status: 400 });
    }
    if (this.#trusted) this.#expectTrusted(text);
    else if (hash !== undefined && this.#registered.get(hash) !== text) this.#register(hash, text, onUnknown);
    return this.#document(text, onUnknown).plan(operationName ?? undefined);
  }

  #textOf(hash: string): string {
    const text = (this.#trusted ?? this.#registered).get(hash);
    // The words and the status by which Apollo's clients know that they have to send the text as well.
    if (text === undefined) throw refusal('PERSISTED_QUERY_NOT_FOUND', 'PersistedQueryNotFound', { status: 200 });
    return text;
  }

  #expectTrusted(text: string): void {
    if (this.#known.has(text) || this.#trusted?.has(hashOf(text))) return;
    throw refusal('FORBIDDEN', 'This server serves only documents that it knows.', { status: 403, spec: true });
  }

  #register(hash: string, text: string, onUnknown: OnUnknown): void {
    if (hashOf(text) !== hash) {
      throw badRequest(new GraphQLError('The hash of the persisted query is not that of its text.'));
    }
    // Only what is valid is worth keeping.
    this.#document(text, onUnknown);
    this.#registered.set(hash, text);
  }

  #document(text: string, onUnknown: OnUnknown): Document {
    const known = this.#known.get(text);
    if (known) return known;
    onUnknown(text.length);
    const node = this.#parse(text);
    const { introspection, compileAfter, limits } = this.#options;
    checkSize(node, limits);
    const rules = introspection ? specifiedRules : RULES_WITHOUT_INTROSPECTION;
    const errors = validate(schema, node, rules, {
      maxErrors: MOST_ERRORS,
      hideSuggestions: !introspection,
    });
    if (errors.length > 0) throw new AggregateError(errors.map(badRequest));
    const document = new Document(node, { compileAfter, hideSuggestions: !introspection });
    this.#known.set(text, document);
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
}

/** The hash of an automatic persisted query (version 1 of Apollo's protocol), if the request names one. */
function hashIn(extensions: unknown): string | undefined {
  if (typeof extensions !== 'object' || extensions === null) return undefined;
  const { persistedQuery } = extensions as { persistedQuery?: { version?: unknown; sha256Hash?: unknown } | null };
  if (typeof persistedQuery !== 'object' || persistedQuery === null) return undefined;
  const { version, sha256Hash } = persistedQuery;
  if (version !== 1 || typeof sha256Hash !== 'string' || !/^[0-9a-f]{64}$/.test(sha256Hash)) {
    throw badRequest(new GraphQLError('extensions.persistedQuery must have version 1 and a sha256Hash in lower case.'));
  }
  return sha256Hash;
}

const hashOf = (text: string): string => createHash('sha256').update(text).digest('hex');

const operationMissing = (name: string | undefined): string =>
  name === undefined
    ? 'The document has several operations, or none: operationName must say which one to run.'
    : `The document has no operation named "${name.slice(0, 100)}".`;
