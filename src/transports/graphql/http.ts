import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ExecutionResult, GraphQLError } from 'graphql';
import { CarillonError, shuttingDown, unauthenticated } from '../../errors.ts';
import type { Logger } from '../../logger.ts';
import type { Metrics } from '../../metrics/metrics.ts';
import type { Caller } from '../../services/caller.ts';
import { POINTS_OF_BAD_TOKEN, type RateLimits, pointsOfBytes } from '../../services/rate-limits.ts';
import { onRoute } from '../../tracing/http.ts';
import type { AddressOf } from '../address.ts';
import { bearerToken } from '../bearer.ts';
import { type Connection, type Connections, type EndReason, tokenEnded } from '../connections.ts';
import { dropBody } from '../drop.ts';
import { hold } from '../hold.ts';
import { identify } from '../request-id.ts';
import { type BodyLimits, isJson, readJson } from './body.ts';
import { refusal, withStatus } from './errors.ts';
import { writeEventStream } from './event-stream.ts';
import { createGraphiql, isVisit } from './graphiql.ts';
import type { OperationRequest, Operations, Prepared, Subscription } from './operations.ts';
import { acceptedType, isWellFormed, writeResult } from './result.ts';
import type { PassedRequests, YogaHandler } from './yoga.ts';

/** How long the reader of an event stream may take over the last word. */
const FAREWELL_MS = 500;

export interface GraphQLHttpOptions {
  operations: Operations;
  connections: Connections;
  rateLimits: RateLimits;
  addressOf: AddressOf;
  verify: (token: string | undefined) => Promise<Caller>;
  metrics: Metrics;
  logger: Logger;
  maxBodyBytes: number;
  maxBodyValues: number;
  /** See `createGraphiql`. */
  demoToken?: (() => Promise<string | undefined>) | undefined;
}

/**
 * GraphQL over HTTP: POST and GET by the specification, subscriptions as `text/event-stream`, GraphiQL for browsers.
 *
 * What nearly every client sends, a POST of JSON that wants JSON, is read and answered here; Yoga's fetch layer costs
 * several times as much as the operation. Everything else (GET, unusual media types, malformed parameters) is Yoga's,
 * which is loaded with the first such request: of all that a server loads it takes the longest. Operations themselves go
 * through `Operations` either way, as on the socket.
 */
export function createGraphQLHttp(options: GraphQLHttpOptions) {
  const { operations, connections, rateLimits, addressOf, verify, logger, maxBodyBytes, maxBodyValues } = options;
  const meter = options.metrics.doors.sse;
  const graphiql = createGraphiql(logger, options.demoToken);

  /** What its address has paid for the body of a request, if that was large. */
  const pointsOfBody = new WeakMap<IncomingMessage, number>();

  /** Who pays for the answer to a request. */
  const callers = new WeakMap<IncomingMessage, Caller>();

  /** What a request may run, or what it is answered instead. */
  async function admit(request: IncomingMessage, params: OperationRequest, response: ServerResponse) {
    const token = bearerToken(request.headers.authorization);
    let caller: Caller | undefined;
    try {
      caller = token === undefined ? undefined : await verify(token);
    } catch (error) {
      if (error instanceof CarillonError && error.code === 'UNAUTHENTICATED') {
        rateLimits.chargeOfAddress(addressOf(request), POINTS_OF_BAD_TOKEN);
      }
      return { errors: [withStatus(operations.mask(error))] };
    }
    if (caller) {
      identify(caller);
      callers.set(request, caller);
    }
    const points = 1 + (pointsOfBody.get(request) ?? 0);
    const prepared = operations.prepare(
      params,
      { caller, address: addressOf(request), points },
      request.method === 'GET' ? 'get' : 'post',
      () => {
        meter.gaveUp();
        response.destroy();
      },
    );
    const isPaid = caller !== undefined && !('errors' in prepared && prepared.cause?.code === 'RATE_LIMITED');
    if (isPaid && rateLimits.isOn) rateLimits.refundAddress(addressOf(request), points);
    if ('errors' in prepared) {
      await hold(prepared.cause);
      return prepared;
    }
    if (isSubscription(prepared) && !takesEvents(request)) return { errors: [eventsOnly()] };
    return prepared;
  }

  /** Runs what was admitted. An event stream is written to the response; then there is nothing left to answer. */
  async function run(
    prepared: Prepared,
    request: IncomingMessage,
    response: ServerResponse,
  ): Promise<ExecutionResult | undefined> {
    if (!isSubscription(prepared)) return operations.run(prepared);
    const begun = await operations.subscribe(prepared);
    if ('errors' in begun) return begun;
    return stream(begun, prepared.contextValue.caller as Caller, addressOf(request), response);
  }

  /**
   * An event stream is a live connection like a socket: counted, and ended with its token or with the server. Written
   * here and not by Yoga, which does not notice that a client has gone until there is something to tell it. Resolves
   * when the response is over.
   */
  async function stream(
    subscription: Subscription,
    caller: Caller,
    address: string,
    response: ServerResponse,
  ): Promise<ExecutionResult | undefined> {
    let farewell: CarillonError | undefined;
    let patience: NodeJS.Timeout | undefined;
    const stop = (): void => void subscription.source.return();
    const connection: Connection = {
      door: 'sse',
      caller,
      address,
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
        await writeEventStream(subscription, response, {
          tenantId: caller.tenantId,
          meter,
          lastWord(failure) {
            const reason = failure ?? farewell;
            return reason === undefined ? undefined : operations.mask(reason);
          },
        });
      }
    } catch (error) {
      logger.error({ err: error }, 'an event stream failed');
      response.destroy();
    }
    return undefined;
  }

  const passed: PassedRequests = new WeakMap();
  const limits: BodyLimits = {
    maxBodyBytes,
    maxBodyValues,
    spend(request, points) {
      if (points === 0) return;
      rateLimits.spendOfAddress(addressOf(request), 'graphql', points);
      pointsOfBody.set(request, points);
    },
  };

  /** Answers a request of which nothing is run. */
  async function refuse(request: IncomingMessage, response: ServerResponse, error: unknown): Promise<void> {
    const isLimited = error instanceof CarillonError;
    dropBody(request, response, (bytes) => !isLimited && rateLimits.canPay(addressOf(request), pointsOfBytes(bytes)));
    await hold(error);
    const told = isLimited ? withStatus(operations.mask(error)) : (error as GraphQLError);
    writeResult(response, { errors: [told] }, acceptedType(request.headers.accept) ?? 'application/json');
  }

  async function post(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const type = acceptedType(request.headers.accept);
    let body: unknown;
    try {
      body = await readJson(request, limits);
    } catch (error) {
      await refuse(request, response, error);
      return;
    }
    if (!isWellFormed(body)) {
      passed.set(request, { body });
      await yoga(request, response);
      return;
    }
    const result = await answer(request, body, response);
    if (!result) return;
    if (type) operations.charge(callers.get(request), writeResult(response, result, type));
    else {
      passed.set(request, { body, result });
      await yoga(request, response);
    }
  }

  let loading: Promise<YogaHandler> | undefined;
  function load(): Promise<YogaHandler> {
    loading ??= import('./yoga.ts').then(({ createYogaHandler }) =>
      createYogaHandler({ passed, answer, logger, limits }),
    );
    return loading;
  }
  async function yoga(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const handle = await load();
    await handle(request, response);
    operations.charge(callers.get(request), Number(response.getHeader('Content-Length') ?? 0));
  }

  /** What Yoga has read is run as anything else is. A stream has been written, and is over, when there is nothing. */
  async function answer(
    request: IncomingMessage,
    params: OperationRequest,
    response: ServerResponse,
  ): Promise<ExecutionResult | undefined> {
    const admitted = await admit(request, params, response);
    return 'plan' in admitted ? run(admitted, request, response) : admitted;
  }

  function serve(request: IncomingMessage, response: ServerResponse): Promise<void> | void {
    if (rateLimits.isOn) {
      try {
        rateLimits.spendOfAddress(addressOf(request), 'graphql');
      } catch (error) {
        return refuse(request, response, error);
      }
    }
    if (isVisit(request)) return graphiql(request, response);
    if (request.method === 'POST' && isJson(request)) return post(request, response);
    return yoga(request, response);
  }

  let lastHost = '';
  return (request: IncomingMessage, response: ServerResponse): void => {
    onRoute(request.method ?? '', '/graphql');
    const { host = '' } = request.headers;
    // RFC 9112 section 3.2. Yoga makes a URL of it, and shows the stack of what it throws.
    if (host !== lastHost && URL.canParse(`http://${host || 'localhost'}`)) lastHost = host;
    if (host !== lastHost) {
      response.setHeader('Connection', 'close');
      const error = refusal('BAD_USER_INPUT', 'The Host header is not valid.', { status: 400 });
      writeResult(response, { errors: [error] }, 'application/json');
      return;
    }
    void Promise.resolve(serve(request, response)).catch((error: unknown) => {
      logger.error({ err: error }, 'a GraphQL request failed');
      response.destroy();
    });
  };
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
