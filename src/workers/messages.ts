import type { Config } from '../config.ts';
import type { Snapshot } from '../metrics/metrics.ts';
import type { Gathered } from '../metrics/scrapes.ts';

/** What the primary tells a worker. */
export type Order =
  /** Serve, with these settings: those of the primary, whatever has become of the environment since. */
  | { readonly kind: 'start'; readonly config: Config }
  /** Tell your metrics. */
  | { readonly kind: 'measure'; readonly id: number }
  /** The metrics of all, which this worker has asked for. */
  | { readonly kind: 'gathered'; readonly id: number; readonly gathered: Gathered }
  /** Drain, and end. */
  | { readonly kind: 'stop' };

/** What a worker tells the primary. */
export type Report =
  /** It listens. */
  | { readonly kind: 'ready'; readonly url: string }
  /** It wants the metrics of all. */
  | { readonly kind: 'gather'; readonly id: number }
  /** Its own metrics, as it was told to. */
  | { readonly kind: 'measured'; readonly id: number; readonly snapshot: Snapshot }
  /** It could not start, and ends. */
  | { readonly kind: 'failed'; readonly reason: string; readonly stack: string | undefined };
