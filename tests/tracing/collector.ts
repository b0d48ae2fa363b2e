import { once } from 'node:events';
import { type IncomingHttpHeaders, createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';

/** A span as a collector of OTLP gets it. */
export interface CollectedSpan {
  name: string;
  /** 1 internal, 2 server, 3 client, 4 producer, 5 consumer. */
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId: string | undefined;
  attributes: Record<string, string | number>;
  /** The ids of the spans that it is linked to. */
  links: string[];
  failed: boolean;
  /** Of the process that made it. */
  resource: Record<string, string | number>;
}

export interface Collector extends AsyncDisposable {
  readonly url: string;
  /** Settings of a server that is to be traced to here. */
  readonly env: Record<string, string>;
  readonly spans: CollectedSpan[];
  readonly headers: IncomingHttpHeaders[];
  named(name: string): CollectedSpan[];
  /** The one span of this name. */
  only(name: string): CollectedSpan;
}

interface KeyValue {
  key: string;
  value: { stringValue?: string; intValue?: number; doubleValue?: number };
}

interface OtlpSpan {
  name: string;
  kind: number;
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  attributes: KeyValue[];
  links?: { spanId: string }[];
  status?: { code?: number };
}

interface OtlpRequest {
  resourceSpans: { resource: { attributes: KeyValue[] }; scopeSpans: { spans: OtlpSpan[] }[] }[];
}

const valuesOf = (attributes: KeyValue[]): Record<string, string | number> =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue ?? '']),
  );

const FAILED = 2; // STATUS_CODE_ERROR

const spansOf = ({ resourceSpans }: OtlpRequest): CollectedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ name, kind, traceId, spanId, parentSpanId, attributes, links = [], status }) => ({
        name,
        kind,
        traceId,
        spanId,
        parentSpanId: parentSpanId || undefined,
        attributes: valuesOf(attributes),
        links: links.map((link) => link.spanId),
        failed: status?.code === FAILED,
        resource: valuesOf(resource.attributes),
      })),
    ),
  );

/** A collector of traces: OTLP over HTTP, as JSON. */
export async function startCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = [];
  const headers: IncomingHttpHeaders[] = [];
  const server = createServer((request, response) => {
    void json(request).then((body) => {
      headers.push(request.headers);
      if (request.url === '/v1/traces') spans.push(...spansOf(body as OtlpRequest));
      response.writeHead(request.url === '/v1/traces' ? 200 : 404, { 'content-type': 'application/json' }).end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const named = (name: string) => spans.filter((span) => span.name === name);
  return {
    url,
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: url },
    spans,
    headers,
    named,
    only(name) {
      const [span, ...others] = named(name);
      if (!span || others.length > 0) {
        throw new Error(
          `${named(name).length} spans are named ${name}; there are ${spans.map((one) => one.name).join(', ')}`,
        );
      }
      return span;
    },
    async [Symbol.asyncDispose]() {
      server.close();
      server.closeAllConnections();
    },
  };
}
