import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { type GraphQLParams, createYoga } from 'graphql-yoga';
import { type CarillonError, MASKED_MESSAGE, errorKinds, shuttingDown, unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { schema } from '../../schema/index.ts';
import type { Caller } from '../../services/caller.ts';
import { graphiqlOptions, renderGraphiql } from '../../web/graphiql.ts';
import { bearerToken } from '../bearer.ts';
import { type Connection, type Connections, type EndReason, tokenEnded } from '../connections.ts';
import { isJson, malformed, readJson } from './body.ts';
import { maskError, refusal } from './errors.ts';
import { writeEventStream } from './event-stream.ts';
import type { OperationRequest, Operations, Prepared, Subscription } from './operations.ts';
import { acceptedType, isWellFormed, writeResult } from './result.ts';

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
 *
 * What nearly every client sends, a POST of JSON that wants JSON, is read and answered here; Yoga's fetch layer costs
 * several times as much as the operation. Everything else (GET, GraphiQL, unusual media types, malformed parameters) is
 * Yoga's. Operations themselves go through `Operations` either way, as on the socket.
 */
export function createGraphQLHttp(options: GraphQLHttpOptions) {
  const { operations, connections, verify, logger, maxBodyBytes } = options;

  /** What a request may run, or what it is answered instead. */
  async function admit(request: IncomingMessage, params: OperationRequest, response: ServerResponse) {
    const token = bearerToken(request.headers.authorization);
    let caller: Caller | undefined;
    try {
      caller = token === undefined ? undefined : await verify(token);
    } catch (error) {
      return { errors: [withStatus(operations.mask(error))] };
    }
    const prepared = operations.prepare(params, caller, request.method === 'GET' ? 'get' : 'post', () =>
      response.destroy(),
    );
    if ('errors' in prepared) return prepared;
    if (isSubscription(prepared) && !takesEvents(request)) return { errors: [eventsOnly()] };
    return prepared;
  }

  /** Runs what was admitted. An event stream is written to the response; then there is nothing left to answer. */
  async function run(prepared: Prepared, response: ServerResponse): Promise<ExecutionResult | undefined> {
    if (!isSubscription(prepared)) return operations.run(prepared);
    const begun = await operations.subscribe(prepared);
    if ('errors' in begun) return begun;
    return stream(begun, prepared.contextValue.caller as Caller, response);
  }

  /**
   * An event stream is a live connection like a socket: counted, and ended with its token or with the server. Written
   * here and not by Yoga, which does not notice that a client has gone until there is something to tell it. Resolves
   * when the response is over.
   */
  async function stream(
    subscription: Subscription,
    caller: Caller,
    response: ServerResponse,
  ): Promise<ExecutionResult | undefined> {
    let farewell: CarillonError | undefined;
    let patience: NodeJS.Timeout | undefined;
    const stop = (): void => void subscription.source.return();
    const connection: Connection = {
      caller,
      cutOff: () => response.destroy(),
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
      if (!response.destroyed) {
        await writeEventStream(subscription, response, (failure) => {
          const reason = failure ?? farewell;
          return reason === undefined ? undefined : operations.mask(reason);
        });
      }
    } catch (error) {
      logger.error({ err: error }, 'an event stream failed');
      response.destroy();
    }
    return undefined;
  }

  /** Requests that turn out to be Yoga's to answer: what was read of them, and what came of it so far. */
  const passed = new WeakMap<IncomingMessage, { body: unknown; result?: ExecutionResult }>();

  async function post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const type = acceptedType(request.headers.accept);
    let body: unknown;
    try {
      body = await readJson(request, maxBodyBytes);
    } catch (error) {
      writeResult(response, { errors: [error as GraphQLError] }, type ?? 'application/json');
      return;
    }
    if (!isWellFormed(body)) {
      passed.set(request, { body });
      await yoga(request, response);
      return;
    }
    const admitted = await admit(request, body, response);
    const result = 'plan' in admitted ? await run(admitted, response) : admitted;
    if (!result) return;
    if (type) writeResult(response, result, type);
    else {
      passed.set(request, { body, result });
      await yoga(request, response);
    }
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
          setParamsHandler(async ({ params, context }) => {
            const { req, res } = context as unknown as { req: IncomingMessage; res: ServerResponse };
            const result = passed.get(req)?.result;
            if (result) return result;
            const admitted = await admit(req, params, res);
            // A stream has been written, and is over, when there is nothing: Yoga has nothing to send then either.
            return 'plan' in admitted ? ((await run(admitted, res)) ?? {}) : admitted;
          });
        },
        onRequestParse({ request, requestParser, serverContext, setRequestParser }) {
          if (request.method === 'POST') {
            const { req } = serverContext as unknown as { req: IncomingMessage };
            setRequestParser(
              async () =>
                (passed.has(req) ? passed.get(req)?.body : await readJson(req, maxBodyBytes)) as GraphQLParams,
            );
          } else if (requestParser) {
            setRequestParser(async (parameters) => withQuery(await tellMalformed(() => requestParser(parameters))));
          }
        },
      },
    ],
  });
  let lastHost = '';
  return (request: IncomingMessage, response: ServerResponse): void => {
    const { host = '' } = request.headers;
    // RFC 9112 section 3.2. Yoga makes a URL of it, and shows the stack of what it throws.
    if (host !== lastHost && URL.canParse(`http://${host || 'localhost'}`)) lastHost = host;
    if (host !== lastHost) {
      response.setHeader('Connection', 'close');
      const error = refusal('BAD_USER_INPUT', 'The Host header is not valid.', { status: 400 });
      writeResult(response, { errors: [error] }, 'application/json');
      return;
    }
    const served = request.method === 'POST' && isJson(request) ? post(request, response) : yoga(request, response);
    void Promise.resolve(served).catch((error: unknown) => {
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

/** A persisted query may be asked for by its hash alone; Yoga insists on a text. */
function withQuery<T>(parsed: T): T {
  const params = parsed as GraphQLParams;
  return params.query == null && params.extensions?.['persistedQuery'] ? { ...parsed, query: '' } : parsed;
}

const isSubscription = ({ plan }: Prepared): boolean => plan.operation.operation === 'subscription';

const takesEvents = ({ headers }: IncomingMessage): boolean =>
  /text\/event-stream|text\/\*|\*\/\*/i.test(headers.accept ?? '*/*');

const eventsOnly = (): GraphQLError =>
  refusal('BAD_USER_INPUT', 'A subscription is answered with text/event-stream: accept that, or use a WebSocket.', {
    status: 406,
  });

const farewellFor = (reason: EndReason): CarillonError =>
  reason === 'draining' ? shuttingDown() : unauthenticated(`${tokenEnded[reason]}.`);
