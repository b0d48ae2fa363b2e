import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { type GraphQLParams, createYoga } from 'graphql-yoga';
import { errorKinds } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { schema } from '../../schema/index.ts';
import { type BodyLimits, malformed, readJson } from './body.ts';
import { maskError, refusal } from './errors.ts';
import type { OperationRequest } from './operations.ts';

/** Requests that turn out to be Yoga's to answer: what was read of them, and what came of it so far. */
export type PassedRequests = WeakMap<IncomingMessage, { body: unknown; result?: ExecutionResult }>;

/** Answers a request; resolves or rejects when that is over. */
export type YogaHandler = (request: IncomingMessage, response: ServerResponse) => Promise<void> | void;

export interface YogaOptions {
  passed: PassedRequests;
  /** What the operation comes to; nothing when the response has been written and is over. */
  answer: (
    request: IncomingMessage,
    params: OperationRequest,
    response: ServerResponse,
  ) => Promise<ExecutionResult | undefined>;
  logger: Logger;
  limits: BodyLimits;
}

/** What reads and writes the requests that `createGraphQLHttp` leaves to Yoga: GET, unusual media types. */
export function createYogaHandler({ passed, answer, logger, limits }: YogaOptions): YogaHandler {
  return createYoga<{ req: IncomingMessage; res: ServerResponse }>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: false,
    // One place answers for CORS on all paths.
    cors: false,
    multipart: false,
    batching: false,
    maxRequestBodySize: false,
    parserAndValidationCache: false,
    logging: { debug() {}, info() {}, warn() {}, error() {} },
    maskedErrors: { maskError: (error) => toRequestError(error, logger) },
    plugins: [
      {
        onParams({ setParamsHandler }) {
          setParamsHandler(async ({ params, context }) => {
            const { req, res } = context as unknown as { req: IncomingMessage; res: ServerResponse };
            const result = passed.get(req)?.result;
            if (result) return result;
            return (await answer(req, params, res)) ?? {};
          });
        },
        onRequestParse({ request, requestParser, serverContext, setRequestParser }) {
          if (request.method === 'POST') {
            const { req } = serverContext as unknown as { req: IncomingMessage };
            setRequestParser(
              async () => (passed.has(req) ? passed.get(req)?.body : await readJson(req, limits)) as GraphQLParams,
            );
          } else if (requestParser) {
            setRequestParser(async (parameters) => withQuery(await tellMalformed(() => requestParser(parameters))));
          }
        },
      },
    ],
  });
}

/** Names Yoga's own complaints about a request (its body, its parameters) as the contract does. */
function toRequestError(error: unknown, logger: Logger): GraphQLError {
  const http = error instanceof GraphQLError ? error.extensions['http'] : undefined;
  if (!(error instanceof GraphQLError) || !http?.status || http.status >= 500) return maskError(error, logger);
  // No `spec`: these requests are malformed, so that the status holds whatever the client accepts.
  const { status, headers = {} } = http;
  const code = String(error.extensions['code']);
  return refusal(code in errorKinds ? code : 'BAD_USER_INPUT', error.message, { status, headers });
}

/** Variables in an address that are no JSON are the caller's fault, which Yoga does not tell from its own. */
async function tellMalformed<T>(parse: () => Promise<T> | T): Promise<T> {
  try {
    return await parse();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw malformed('The variables or extensions are not valid JSON.');
  }
}

/** A persisted query may be asked for by its hash alone; Yoga insists on a text. */
function withQuery<T>(parsed: T): T {
  const params = parsed as GraphQLParams;
  return params.query == null && params.extensions?.['persistedQuery'] ? { ...parsed, query: '' } : parsed;
}
