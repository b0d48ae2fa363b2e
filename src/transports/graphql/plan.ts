import {
  type DocumentNode,
  type ExecutionResult,
  GraphQLError,
  Kind,
  type OperationDefinitionNode,
  TypeInfo,
  type VariableNode,
  execute,
  visit,
  visitWithTypeInfo,
} from 'graphql';
import { type CompiledQuery, compileQuery, isCompiledQuery } from 'graphql-jit';
import { LRUCache } from 'lru-cache';
import { type GraphQLContext, schema } from '../../schema/index.ts';

/** What a field says about itself in its `extensions`. */
export interface FieldExtensions {
  /** Its value depends on who asks, and not on the event alone: no operation that asks for it is shared. */
  viewerDependent?: boolean;
}

export interface PlanOptions {
  /** Executions before it is compiled. */
  compileAfter?: number | undefined;
  /** Errors of variables do not name what may have been meant. */
  hideSuggestions?: boolean;
}

export type Variables = Readonly<Record<string, unknown>>;

export interface Execution {
  rootValue?: unknown;
  contextValue: GraphQLContext;
  variables: Variables | undefined;
}

/** Executions of an operation before it is compiled: compiling costs as much as some fifty of them. */
const COMPILE_AFTER = 3;

/** Documents beyond this are not compiled: what code costs to keep grows with them. */
const MAX_COMPILED_CHARACTERS = 4096;

/** Operations whose compiled form is kept. */
const MAX_COMPILED = 256;

/** The fields of a query that say nothing about anybody. */
const PUBLIC_FIELDS = new Set(['__typename', '__schema', '__type']);

const compiledPlans = new LRUCache<Plan, CompiledQuery>({ max: MAX_COMPILED });

/**
 * One operation of a valid document, and all that follows from its text alone. Executes with graphql-js, and, once it
 * has shown to come often, with code that graphql-jit made for it, which does the same about five times as fast.
 */
export class Plan {
  static #count = 0;
  /** Of this plan alone, in this process. */
  readonly id = ++Plan.#count;
  readonly document: DocumentNode;
  readonly operation: OperationDefinitionNode;
  /** Whether it can be answered to anybody: introspection, and nothing beside it. */
  readonly isPublic: boolean;
  /** Whether its results depend on the event and the variables alone, and so can be shared by all who ask for the same. */
  readonly isShareable: boolean;
  /** Variables that results depend on; those of a subscription's own field say only where it begins. */
  readonly resultVariables: readonly string[];
  readonly #compileAfter: number;
  readonly #hideSuggestions: boolean;
  #uses = 0;

  constructor(document: DocumentNode, operation: OperationDefinitionNode, options: PlanOptions = {}) {
    const { compileAfter = COMPILE_AFTER, hideSuggestions = false } = options;
    this.#hideSuggestions = hideSuggestions;
    this.document = document;
    this.operation = operation;
    this.isPublic = isPublic(operation, document);
    const isSubscription = operation.operation === 'subscription';
    this.isShareable = isSubscription && !dependsOnViewer(document);
    this.resultVariables = isSubscription ? variablesOfResults(document, operation) : [];
    const length = document.loc?.end ?? Number.POSITIVE_INFINITY;
    this.#compileAfter =
      length <= MAX_COMPILED_CHARACTERS && isCompilable(document, this.isPublic) ? compileAfter : Infinity;
  }

  /** Executes the operation; of a subscription, its fields for one event. Never throws for what the request is about. */
  execute(execution: Execution): ExecutionResult | Promise<ExecutionResult> {
    const compiled = this.#compiled();
    if (!compiled) return this.#interpret(execution);
    const { rootValue, contextValue, variables } = execution;
    const result = compiled.query(rootValue, contextValue, variables);
    return result instanceof Promise
      ? result.then((settled: ExecutionResult) => this.#checked(settled, execution))
      : this.#checked(result, execution);
  }

  #interpret({ rootValue, contextValue, variables }: Execution): ExecutionResult | Promise<ExecutionResult> {
    return execute({
      schema,
      document: this.document,
      rootValue,
      contextValue,
      variableValues: variables,
      operationName: this.operation.name?.value,
      hideSuggestions: this.#hideSuggestions,
    });
  }

  #checked(result: ExecutionResult, execution: Execution): ExecutionResult | Promise<ExecutionResult> {
    if (!result.errors) return result;
    // Without data nothing was executed: the variables are wrong, and graphql-js says better how.
    if (!('data' in result)) return this.#interpret(execution);
    return { data: result.data, errors: result.errors.map((error) => toGraphQLError(error, this.operation)) };
  }

  #compiled(): CompiledQuery | undefined {
    const known = compiledPlans.get(this);
    if (known) return known;
    this.#uses += 1;
    if (this.#uses <= this.#compileAfter) return undefined;
    const compiled = compileQuery(schema, this.document, this.operation.name?.value);
    if (!isCompiledQuery(compiled)) {
      this.#uses = Number.NEGATIVE_INFINITY;
      return undefined;
    }
    this.#uses = 0;
    compiledPlans.set(this, compiled);
    return compiled;
  }
}

/** graphql-jit tells errors by a class of its own, without the nodes that are to blame. */
function toGraphQLError(error: GraphQLError, operation: OperationDefinitionNode): GraphQLError {
  const { message, path, locations, originalError } = error;
  // What graphql-js blames on an argument points into the document.
  const cause =
    originalError ?? (message.startsWith('Argument "') ? new GraphQLError(message, { nodes: operation }) : undefined);
  return Object.assign(new GraphQLError(message, { path, originalError: cause ?? null }), { locations });
}

/** Directives decide at each execution what is asked for, and introspection is for people: both stay with graphql-js. */
function isCompilable(document: DocumentNode, ofNobody: boolean): boolean {
  if (ofNobody) return false;
  let plain = true;
  visit(document, {
    Directive() {
      plain = false;
    },
    Field({ name }) {
      if (name.value === '__schema' || name.value === '__type') plain = false;
    },
  });
  return plain;
}

function dependsOnViewer(document: DocumentNode): boolean {
  const types = new TypeInfo(schema);
  let depends = false;
  visit(
    document,
    visitWithTypeInfo(types, {
      Field() {
        const extensions = types.getFieldDef()?.extensions as FieldExtensions | undefined;
        if (extensions?.viewerDependent) depends = true;
      },
    }),
  );
  return depends;
}

function variablesOfResults(document: DocumentNode, operation: OperationDefinitionNode): string[] {
  const names = new Set<string>();
  const collect = { Variable: ({ name }: VariableNode) => void names.add(name.value) };
  for (const definition of document.definitions) {
    if (definition.kind === Kind.FRAGMENT_DEFINITION) visit(definition, collect);
  }
  for (const selection of operation.selectionSet.selections) {
    if (selection.kind !== Kind.FIELD) visit(selection, collect);
    else for (const part of [selection.selectionSet, ...(selection.directives ?? [])]) if (part) visit(part, collect);
  }
  return [...names].toSorted();
}

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
