import type { IncomingMessage, ServerResponse } from 'node:http';
import { currentLogScope } from '../logger.ts';
import { activeSpan, under } from './spans.ts';
import type { Tracing } from './tracing.ts';

/** Serves a request in a span that lasts until its answer is over. The address goes in without its query. */
export function traceRequest(
  tracing: Tracing,
  request: IncomingMessage,
  response: ServerResponse,
  serve: () => void,
): void {
  const { method = '', headers, url = '' } = request;
  const span = tracing.begin(method, {
    kind: 'server',
    traceparent: textOf(headers['traceparent']),
    tracestate: textOf(headers['tracestate']),
    attributes: {
      'http.request.method': method,
      'url.path': url.split('?', 1)[0],
      'url.scheme': 'http',
      'network.protocol.version': request.httpVersion,
      'carillon.request.id': currentLogScope()?.requestId,
    },
  });
  response.once('close', () => {
    if (!span) return;
    const { statusCode: status } = response;
    span.set({ 'http.response.status_code': status });
    if (status >= 500) span.fail(String(status));
    span.end();
  });
  under(span, serve);
}

/** The route of the request that is under way is known: the address with names in place of ids. */
export function onRoute(method: string, route: string): void {
  const span = activeSpan();
  span?.rename(`${method} ${route}`);
  span?.set({ 'http.route': route });
}

const textOf = (header: string | string[] | undefined): string | undefined =>
  Array.isArray(header) ? header.join(',') : header;
