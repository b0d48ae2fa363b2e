import { GraphQLError, type GraphQLErrorExtensions } from 'graphql';
import { CarillonError, MASKED_MESSAGE, errorKinds } from '../../errors.ts';
import { type Logger, currentLogScope } from '../../logger.ts';

/**
 * The HTTP status of a refused request, as Yoga reads it. With `spec` it holds for `application/graphql-response+json`
 * only, because the GraphQL over HTTP specification wants 200 for well-formed answers in `application/json`.
 */
export interface HttpExtension {
  status: number;
  spec?: boolean;
  headers?: Record<string, string>;
}

/** A refusal of a whole operation. */
export function refusal(code: string, message: string, http: HttpExtension, nodes?: GraphQLError): GraphQLError {
  return new GraphQLError(message, {
    ...(nodes?.nodes ? { nodes: nodes.nodes } : {}),
    ...(nodes?.source ? { source: nodes.source } : {}),
    ...(nodes?.positions ? { positions: nodes.positions } : {}),
    extensions: { code, http },
  });
}

/** A refusal of the whole request carries its HTTP status, whatever the client accepts. */
export function withStatus(error: GraphQLError): GraphQLError {
  const kind = errorKinds[error.extensions['code'] as keyof typeof errorKinds];
  const retryAfter = error.extensions['retryAfter'];
  const headers = {
    ...(kind.http === 401 ? { 'WWW-Authenticate': 'Bearer error="invalid_token"' } : {}),
    ...(typeof retryAfter === 'number' ? { 'Retry-After': String(retryAfter) } : {}),
  };
  return new GraphQLError(error.message, { extensions: { ...error.extensions, http: { status: kind.http, headers } } });
}

/** The `http` extension is a note to Yoga. */
export function withoutHttp(error: GraphQLError): GraphQLError {
  if (!('http' in error.extensions)) return error;
  const { http: _, ...extensions } = error.extensions;
  const { nodes, source, positions, path } = error;
  return placed(new GraphQLError(error.message, { nodes, source, positions, path, extensions } as object), error);
}

/** Places an error where another one is: those of compiled operations know their locations, but not their nodes. */
const placed = (error: GraphQLError, at: GraphQLError | undefined): GraphQLError =>
  at?.locations && !error.locations ? Object.assign(error, { locations: at.locations }) : error;

/** The request is wrong in itself: its syntax, its fields, its variables. */
export const badRequest = (error: GraphQLError): GraphQLError =>
  refusal('BAD_USER_INPUT', error.message, { status: 400, spec: true }, error);

/** Where GraphQL says which value is wrong: `… at "input.type"; …`, `Field "title" of required type …`, the variable. */
const PATH_IN_MESSAGE = / at "\w+(?:\.(\w+))?[^"]*"; /;
const FIELD_IN_MESSAGE = /; Field "(\w+)" (?:of required type|is not defined)/;
const VARIABLE_IN_MESSAGE = /^Variable "\$(\w+)"/;

function fieldOf(message: string): string | undefined {
  for (const pattern of [PATH_IN_MESSAGE, FIELD_IN_MESSAGE, VARIABLE_IN_MESSAGE]) {
    const field = pattern.exec(message)?.[1];
    if (field !== undefined) return field;
  }
  return undefined;
}

function extensionsOf(error: CarillonError): GraphQLErrorExtensions {
  return {
    code: error.code,
    ...(error.field === undefined ? {} : { field: error.field }),
    ...(error.retryAfterSeconds === undefined ? {} : { retryAfter: error.retryAfterSeconds }),
  };
}

/** The CarillonError at the bottom of an error, if there is one. */
function refusalIn(error: unknown): CarillonError | undefined {
  if (error instanceof CarillonError) return error;
  return error instanceof GraphQLError && error.originalError ? refusalIn(error.originalError) : undefined;
}

/**
 * What a caller may see of an error: our own refusals with code and field, GraphQL's complaints about the request as
 * BAD_USER_INPUT, and of anything else nothing but the id of the request, by which its line in the log is found.
 */
export function maskError(error: unknown, logger: Logger): GraphQLError {
  const known = refusalIn(error);
  const located = error instanceof GraphQLError ? error : undefined;
  const where = {
    ...(located?.nodes ? { nodes: located.nodes } : {}),
    ...(located?.path ? { path: located.path } : {}),
  };
  if (known) {
    if (known.cause !== undefined) logger.warn({ err: known.cause }, known.message);
    return placed(new GraphQLError(known.message, { ...where, extensions: extensionsOf(known) }), located);
  }
  // Masked already.
  if (located?.message === MASKED_MESSAGE) return located;
  if (located?.extensions['code'] && located.extensions['code'] !== 'INTERNAL_SERVER_ERROR') return located;
  if (located && isAboutTheRequest(located)) {
    const field = fieldOf(located.message);
    const http: HttpExtension = { status: 400, spec: true };
    const extensions = {
      code: 'BAD_USER_INPUT',
      ...(field === undefined ? {} : { field }),
      ...(located.path ? {} : { http }),
    };
    return placed(new GraphQLError(located.message, { ...where, extensions }), located);
  }
  logger.error({ err: located?.originalError ?? error }, 'an operation failed');
  const requestId = currentLogScope()?.requestId;
  const extensions = { code: 'INTERNAL_SERVER_ERROR', ...(requestId === undefined ? {} : { requestId }) };
  return placed(new GraphQLError(MASKED_MESSAGE, { ...where, extensions }), located);
}

/**
 * Whether GraphQL blames the request: its variables, before any field has a path; or a field's arguments, with a cause
 * that points into the document. A result that does not fit its type points nowhere, and is our own doing.
 */
function isAboutTheRequest({ path, originalError: cause }: GraphQLError): boolean {
  if (cause === undefined) return path === undefined;
  if (!(cause instanceof GraphQLError)) return false;
  return (path === undefined || cause.nodes !== undefined) && isAboutTheRequest(cause);
}
