import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionArgs, type ExecutionResult, GraphQLError, getOperationAST } from 'graphql';
import { type GraphQLParams, createYoga } from 'graphql-yoga';
import { CarillonError, MASKED_MESSAGE, errorKinds, unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { schema } from '../../schema/index.ts';
import type { Caller } from '../../services/caller.ts';
import { graphiqlOptions, renderGraphiql } from '../../web/graphiql.ts';
import { bearerToken } from '../bearer.ts';
import { type Connection, type Connections, type EndReason, tokenEnded } from '../connections.ts';
import { malformed, readJson } from './body.ts';
import { badRequest, maskError, refusal, withoutHttp } from './errors.ts';
import { writeEventStream } from './event-stream.ts';
import type { Operations } from './operations.ts';

/** How long the reader of an event stream may take over the last word. */
const FAREWELL_MS = 500;

export interface GraphQLHttpOptions {
  operations: Operations;
  connections: Connections;
  verify: (token: string | undefined) => Promise<Caller>;
  logger: Logger;
  maxBodyBytes: number;
}

/**
 * GraphQL over HTTP: POST and GET by the specification, subscriptions as `text/event-stream`, GraphiQL for browsers.
 * Yoga speaks HTTP; operations themselves go through `Operations`, as on the socket.
 */
export function createGraphQLHttp(options: GraphQLHttpOptions) {
  const { operations, connections, verify, logger, maxBodyBytes } = options;

  async function answer(request: Request, params: object, response: ServerResponse): Promise<ExecutionResult> {
    const token = bearerToken(request.headers.get('authorization'));
    let caller: Caller | undefined;
    try {
      caller = token === undefined ? undefined : await verify(token);
    } catch (error) {
      return { errors: [withStatus(operations.mask(error))] };
    }
    const door = request.method === 'GET' ? 'get' : 'post';
    const args = operations.prepare(params, caller, door, () => response.destroy());
    if ('errors' in args) return args;
    if (operationKind(args) === 'subscription' && !takesEvents(request)) return { errors: [eventsOnly()] };
    const outcome = await operations.run(args);
    if (!(Symbol.asyncIterator in outcome)) return outcome;
    return caller ? stream(outcome, caller, response) : {};
  }

  /**
   * An event stream is a live connection like a socket: counted, and ended with its token or with the server. Written
   * here and not by Yoga, which does not notice that a client has gone until there is something to tell it. Resolves
   * when the response is over, so that nothing is left for Yoga to send.
   */
  async function stream(
    results: AsyncIterableIterator<ExecutionResult>,
    caller: Caller,
    response: ServerResponse,
  ): Promise<ExecutionResult> {
    let farewell: CarillonError | undefined;
    let patience: NodeJS.Timeout | undefined;
    const stop = (): void => void results.return?.();
    const connection: Connection = {
      caller,
      end(reason) {
        if (farewell) return;
        farewell = farewellFor(reason);
        stop();
        patience = setTimeout(() => response.destroy(), FAREWELL_MS);
      },
    };
    try {
      connections.open(connection);
    } catch (error) {
      stop();
      return { errors: [withStatus(operations.mask(error))] };
    }
    const over = (): void => {
      clearTimeout(patience);
      stop();
      connections.closed(connection);
    };
    // The client may have gone while the subscription was being made.
    if (response.destroyed) over();
    response.once('close', over);
    try {
      if (!response.destroyed) await writeEventStream(results, response, () => farewell && operations.mask(farewell));
    } catch (error) {
      logger.error({ err: error }, 'an event stream failed');
      response.destroy();
    }
    return {};
  }

  const yoga = createYoga<{ req: IncomingMessage; res: ServerResponse }>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: graphiqlOptions,
    renderGraphiQL: (page) =>
      renderGraphiql(page).catch((error: unknown) => {
        logger.error({ err: error }, 'GraphiQL could not be built');
        // What is thrown here is shown with its stack.
        throw Object.assign(new Error(MASKED_MESSAGE), { stack: MASKED_MESSAGE });
      }),
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
          setParamsHandler(({ request, params, context }) =>
            answer(request, params, (context as unknown as { res: ServerResponse }).res),
          );
        },
        onRequestParse({ request, requestParser, serverContext, setRequestParser }) {
          if (request.method === 'POST') {
            const { req } = serverContext as unknown as { req: IncomingMessage };
            setRequestParser(async () => (await readJson(req, maxBodyBytes)) as GraphQLParams);
          } else if (requestParser) {
            setRequestParser(async (parameters) => tellMalformed(() => requestParser(parameters)));
          }
        },
      },
    ],
  });
  return (request: IncomingMessage, response: ServerResponse): void => {
    // RFC 9112 section 3.2. Yoga makes a URL of it, and shows the stack of what it throws.
    if (!URL.canParse(`http://${request.headers.host || 'localhost'}`)) {
      response.writeHead(400, { 'Content-Type': 'application/json; charset=utf-8', Connection: 'close' });
      response.end(
        JSON.stringify({ errors: [withoutHttp(badRequest(new GraphQLError('The Host header is not valid.')))] }),
      );
      return;
    }
    void Promise.resolve(yoga(request, response)).catch((error: unknown) => {
      logger.error({ err: error }, 'a GraphQL request failed');
      response.destroy();
    });
  };
}

/** A refusal of the whole request carries its HTTP status, whatever the client accepts. */
function withStatus(error: GraphQLError): GraphQLError {
  const kind = errorKinds[error.extensions['code'] as keyof typeof errorKinds];
  const retryAfter = error.extensions['retryAfter'];
  const headers = {
    ...(kind.http === 401 ? { 'WWW-Authenticate': 'Bearer error="invalid_token"' } : {}),
    ...(typeof retryAfter === 'number' ? { 'Retry-After': String(retryAfter) } : {}),
  };
  return new GraphQLError(error.message, { extensions: { ...error.extensions, http: { status: kind.http, headers } } });
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

const operationKind = ({ document, operationName }: ExecutionArgs) =>
  getOperationAST(document, operationName)?.operation;

const takesEvents = (request: Request): boolean =>
  /text\/event-stream|text\/\*|\*\/\*/i.test(request.headers.get('accept') ?? '*/*');

const eventsOnly = (): GraphQLError =>
  refusal('BAD_USER_INPUT', 'A subscription is answered with text/event-stream: accept that, or use a WebSocket.', {
    status: 406,
  });

const farewellFor = (reason: EndReason): CarillonError =>
  reason === 'draining'
    ? new CarillonError('UNAVAILABLE', 'This server is shutting down. Connect again.', { retryAfterSeconds: 1 })
    : unauthenticated(`${tokenEnded[reason]}.`);
