import type { IncomingMessage, ServerResponse } from 'node:http';
import { type ExecutionResult, GraphQLError } from 'graphql';
import { createYoga } from 'graphql-yoga';
import { CarillonError, errorKinds } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import { schema } from '../../schema/index.ts';
import type { Caller } from '../../services/caller.ts';
import { graphiqlOptions, renderGraphiql } from '../../web/graphiql.ts';
import { bearerToken } from '../bearer.ts';
import type { Connection, Connections, EndReason } from '../connections.ts';
import { maskError } from './errors.ts';
import type { Operations, Outcome } from './operations.ts';

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

  async function answer(request: Request, params: object): Promise<Outcome> {
    const token = bearerToken(request.headers.get('authorization'));
    let caller: Caller | undefined;
    try {
      caller = token === undefined ? undefined : await verify(token);
    } catch (error) {
      return { errors: [withStatus(operations.mask(error))] };
    }
    const args = operations.prepare(params, caller, request.method === 'GET' ? 'get' : 'post');
    if ('errors' in args) return args;
    const outcome = await operations.run(args);
    return caller && Symbol.asyncIterator in outcome ? register(outcome, caller) : outcome;
  }

  /** An event stream is a live connection like a socket: counted, and ended with its token or with the server. */
  function register(results: AsyncIterableIterator<ExecutionResult>, caller: Caller): Outcome {
    let reason: EndReason | undefined;
    const connection: Connection = {
      caller,
      end(why) {
        reason = why;
        void results.return?.();
      },
    };
    try {
      connections.open(connection);
    } catch (error) {
      void results.return?.();
      return { errors: [withStatus(operations.mask(error))] };
    }
    return untilClosed(
      results,
      () => connections.closed(connection),
      () => reason && operations.mask(farewell(reason)),
    );
  }

  const yoga = createYoga<{ req: IncomingMessage; res: ServerResponse }>({
    schema,
    graphqlEndpoint: '/graphql',
    landingPage: false,
    graphiql: graphiqlOptions,
    renderGraphiQL: renderGraphiql,
    // One place answers for CORS on all paths.
    cors: false,
    multipart: false,
    batching: false,
    maxRequestBodySize: maxBodyBytes,
    parserAndValidationCache: false,
    logging: { debug() {}, info() {}, warn() {}, error() {} },
    maskedErrors: { maskError: (error) => toRequestError(error, logger) },
    plugins: [
      {
        onParams({ setParamsHandler }) {
          setParamsHandler(({ request, params }) => answer(request, params) as Promise<ExecutionResult>);
        },
      },
    ],
  });
  return (request: IncomingMessage, response: ServerResponse): void => {
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
  const code = http.status === 413 ? 'PAYLOAD_TOO_LARGE' : 'BAD_USER_INPUT';
  return new GraphQLError(error.message, { extensions: { ...error.extensions, code } });
}

const farewell = (reason: EndReason): CarillonError =>
  reason === 'expired'
    ? new CarillonError('UNAUTHENTICATED', 'The token has expired.')
    : new CarillonError('UNAVAILABLE', 'This server is shutting down. Connect again.', { retryAfterSeconds: 1 });

/** The same stream, which tells when it is over, and may have a last word. */
function untilClosed(
  results: AsyncIterableIterator<ExecutionResult>,
  onClosed: () => void,
  lastWord: () => GraphQLError | undefined,
): AsyncIterableIterator<ExecutionResult> {
  let over = false;
  const finish = (): void => {
    over = true;
    onClosed();
  };
  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    async next() {
      if (over) return { done: true, value: undefined };
      const next = await results.next();
      if (!next.done) return next;
      const error = over ? undefined : lastWord();
      finish();
      return error ? { done: false, value: { errors: [error] } } : next;
    },
    async return() {
      finish();
      await results.return?.();
      return { done: true, value: undefined };
    },
  };
}
