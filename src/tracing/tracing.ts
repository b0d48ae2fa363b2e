import type { Config } from '../config.ts';
import type { Logger } from '../logger.ts';
import type { ActiveSpan, SpanOptions } from './spans.ts';

export interface RootOptions extends SpanOptions {
  /** The span elsewhere that this one continues, as of W3C Trace Context. One that is malformed counts as none. */
  traceparent?: string | undefined;
  tracestate?: string | undefined;
}

/** Where traces begin: at the doors, and with what the server does by itself. Everything below is `inChild`. */
export interface Tracing extends AsyncDisposable {
  readonly isOn: boolean;
  /** A span to do work in; nothing when traces are off, or this one is not sampled. */
  begin(name: string, options?: RootOptions): ActiveSpan | undefined;
}

export type TracingConfig = Pick<
  Config,
  | 'otelExporterOtlpEndpoint'
  | 'otelExporterOtlpHeaders'
  | 'otelTracesExporter'
  | 'otelServiceName'
  | 'otelTracesSampler'
  | 'otelTracesSamplerArg'
  | 'maxSendBatch'
>;

export const noTracing: Tracing = {
  isOn: false,
  begin: () => undefined,
  async [Symbol.asyncDispose]() {},
};

/** Disposing sends what is left to the collector, and waits two seconds for it at most. */
export async function openTracing(config: TracingConfig, logger: Logger): Promise<Tracing> {
  const { otelTracesExporter: exporter, otelExporterOtlpEndpoint: endpoint } = config;
  const isOn = exporter === 'otlp' || (exporter === 'auto' && endpoint !== undefined);
  // Only then: without traces nothing of the SDK is loaded.
  return isOn ? (await import('./otel.ts')).createTracing(config, logger) : noTracing;
}
