import type { ServerResponse } from 'node:http';
import type { ExecutionResult } from 'graphql';
import type { HttpExtension } from './errors.ts';
import { type OperationRequest, resultText } from './operations.ts';

export type ResultType = 'application/json' | 'application/graphql-response+json';

const RESULT_TYPES: ReadonlyMap<string, ResultType> = new Map([
  ['application/json', 'application/json'],
  ['application/graphql-response+json', 'application/graphql-response+json'],
  ['application/*', 'application/json'],
  ['*/*', 'application/json'],
]);

/** Clients say the same again and again. */
const acceptedTypes = new Map<string, ResultType>();
const MAX_ACCEPTS = 100;

/**
 * The media type of a plain answer: of those that the client accepts, the first one that there is. `undefined` when it
 * wants something else. Weights are passed over, as clients name what they prefer first.
 */
export function acceptedType(accept = '*/*'): ResultType | undefined {
  const known = acceptedTypes.get(accept);
  if (known) return known;
  const type = chooseType(accept);
  if (type && acceptedTypes.size < MAX_ACCEPTS) acceptedTypes.set(accept, type);
  return type;
}

function chooseType(accept: string): ResultType | undefined {
  for (const part of accept.toLowerCase().replaceAll(' ', '').split(',')) {
    const [name = '', ...parameters] = part.split(';');
    const charset = parameters.find((parameter) => parameter.startsWith('charset='));
    const type = RESULT_TYPES.get(name);
    if (type && (charset === undefined || charset === 'charset=utf-8')) return type;
  }
  return undefined;
}

const PARAMETERS = new Set(['query', 'operationName', 'variables', 'extensions']);

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Whether a body has the parameters of a GraphQL request, of the right types, and no others. */
export function isWellFormed(body: unknown): body is OperationRequest {
  if (!isObject(body)) return false;
  const { query, operationName, variables, extensions } = body;
  if (typeof query !== 'string' && !(query == null && isObject(extensions) && 'persistedQuery' in extensions))
    return false;
  if (operationName != null && typeof operationName !== 'string') return false;
  if ((variables != null && !isObject(variables)) || (extensions != null && !isObject(extensions))) return false;
  for (const name in body) if (!PARAMETERS.has(name) && body[name] != null) return false;
  return true;
}

/**
 * Answers with a result: the highest status that its errors ask for, else 200, and their headers.
 *
 * @returns the bytes of the body.
 */
export function writeResult(response: ServerResponse, result: ExecutionResult, type: ResultType): number {
  if (response.destroyed) return 0;
  let status = 0;
  for (const { extensions } of result.errors ?? []) {
    const http = extensions['http'] as HttpExtension | undefined;
    if (!http) continue;
    for (const [name, value] of Object.entries(http.headers ?? {})) response.setHeader(name, value);
    if (!(http.spec && type === 'application/json')) status = Math.max(status, http.status);
  }
  // As text: then Node writes it together with the head.
  const body = resultText(result);
  const length = Buffer.byteLength(body);
  response.writeHead(status || 200, { 'Content-Type': `${type}; charset=utf-8`, 'Content-Length': length });
  response.end(body);
  return length;
}
