import {
  type Context,
  type Link,
  ROOT_CONTEXT,
  type Span,
  SpanKind as Kind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { type ExportResult, ExportResultCode, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  detectResources,
  resourceAttributesEnvDetector,
  resourceFromAttributes,
  serviceInstanceIdDetector,
} from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BatchSpanProcessor,
  ParentBasedSampler,
  type ReadableSpan,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
  TracerProvider,
} from '@opentelemetry/sdk-trace';
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from '@opentelemetry/semantic-conventions';
import { type Logger, currentLogScope } from '../logger.ts';
import { type ActiveSpan, type Attributes, type SpanKind, type SpanOptions, apart } from './spans.ts';
import type { RootOptions, Tracing, TracingConfig } from './tracing.ts';
import packageJson from '../../package.json' with { type: 'json' };

/** What a collector has where none is named. */
const DEFAULT_ENDPOINT = 'http://localhost:4318';

/** A collector that is away must not hold up the end of the server. */
const FLUSH_MS = 2000;

const kinds: Readonly<Record<SpanKind, Kind>> = {
  internal: Kind.INTERNAL,
  server: Kind.SERVER,
  client: Kind.CLIENT,
  producer: Kind.PRODUCER,
  consumer: Kind.CONSUMER,
};

const propagator = new W3CTraceContextPropagator();
const headersOf = { get: (carrier: RootOptions, name: string) => carrier[name as 'traceparent'], keys: () => [] };

class OtelSpan implements ActiveSpan {
  readonly #tracer: Tracer;
  readonly #span: Span;
  readonly #links: Link[];
  readonly #context: Context;

  constructor(tracer: Tracer, span: Span, links: Link[] = []) {
    this.#tracer = tracer;
    this.#span = span;
    this.#links = links;
    this.#context = trace.setSpan(ROOT_CONTEXT, span);
  }

  get traceparent(): string {
    const { traceId, spanId } = this.#span.spanContext();
    return `00-${traceId}-${spanId}-01`;
  }

  child(name: string, { kind = 'internal', attributes = {} }: SpanOptions = {}): ActiveSpan {
    const links = this.#links;
    const size = links.length > 1 ? { 'db.operation.batch.size': links.length } : {};
    const options = { kind: kinds[kind], attributes: { ...attributes, ...size }, links };
    return new OtelSpan(this.#tracer, this.#tracer.startSpan(name, options, this.#context));
  }

  linking(spans: readonly ActiveSpan[]): ActiveSpan {
    const links = spans.map((span) => ({ context: (span as OtelSpan).#span.spanContext() }));
    return new OtelSpan(this.#tracer, this.#span, links);
  }

  rename(name: string): void {
    this.#span.updateName(name);
  }

  set(attributes: Attributes): void {
    this.#span.setAttributes(attributes);
  }

  fail(type: string): void {
    this.#span.setAttribute('error.type', type);
    this.#span.setStatus({ code: SpanStatusCode.ERROR });
  }

  end(): void {
    this.#span.end();
  }
}

/** Says once that spans cannot be exported, and once that they can again. */
class WatchedExporter implements SpanExporter {
  readonly #exporter: SpanExporter;
  readonly #logger: Logger;
  #isTroubled = false;

  constructor(exporter: SpanExporter, logger: Logger) {
    this.#exporter = exporter;
    this.#logger = logger;
  }

  export(spans: ReadableSpan[], done: (result: ExportResult) => void): void {
    this.#exporter.export(spans, (result) => {
      const failed = result.code !== ExportResultCode.SUCCESS;
      if (failed !== this.#isTroubled) apart(() => this.#tell(failed, result.error));
      this.#isTroubled = failed;
      done(result);
    });
  }

  #tell(failed: boolean, error: Error | undefined): void {
    if (failed) this.#logger.warn({ err: error }, 'traces cannot be exported, and are lost until they can');
    else this.#logger.info('traces are exported again');
  }

  shutdown(): Promise<void> {
    return this.#exporter.shutdown();
  }
}

function samplerOf({ otelTracesSampler: name, otelTracesSamplerArg: ratio }: TracingConfig): Sampler {
  const kind = name.replace('parentbased_', '');
  const root =
    kind === 'always_on'
      ? new AlwaysOnSampler()
      : kind === 'always_off'
        ? new AlwaysOffSampler()
        : new TraceIdRatioBasedSampler(ratio);
  return name === kind ? root : new ParentBasedSampler({ root });
}

/** Traces by OpenTelemetry's SDK, exported as OTLP over HTTP. Nothing global is registered, and nothing is patched. */
export function createTracing(config: TracingConfig, logger: Logger): Tracing {
  const base = (config.otelExporterOtlpEndpoint ?? DEFAULT_ENDPOINT).replace(/\/$/, '');
  const exporter = new OTLPTraceExporter({ url: `${base}/v1/traces`, headers: config.otelExporterOtlpHeaders ?? {} });
  const detectors = [resourceAttributesEnvDetector, serviceInstanceIdDetector];
  const service = { [ATTR_SERVICE_NAME]: config.otelServiceName, [ATTR_SERVICE_VERSION]: packageJson.version };
  const provider = new TracerProvider({
    resource: detectResources({ detectors }).merge(resourceFromAttributes(service)),
    sampler: samplerOf(config),
    spanLimits: { linkCountLimit: config.maxSendBatch },
    spanProcessors: [new BatchSpanProcessor({ exporter: new WatchedExporter(exporter, logger) })],
  });
  const tracer = provider.getTracer('carillon', packageJson.version);
  return {
    isOn: true,
    begin(name, { kind = 'internal', attributes = {}, ...remote } = {}) {
      const parent = propagator.extract(ROOT_CONTEXT, remote, headersOf);
      const span = tracer.startSpan(name, { kind: kinds[kind], attributes }, parent);
      if (!span.isRecording()) return undefined;
      const scope = currentLogScope();
      if (scope) scope.traceId = span.spanContext().traceId;
      return new OtelSpan(tracer, span);
    },
    async [Symbol.asyncDispose]() {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(() => late.resolve(), FLUSH_MS);
      // What went wrong has been told by the exporter.
      await Promise.race([provider.shutdown().catch(() => {}), late.promise]);
      clearTimeout(timer);
    },
  };
}
