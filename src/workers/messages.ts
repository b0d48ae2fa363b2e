import type { Config } from '../config.ts';

/** What the primary tells a worker. */
export type Order =
  /** Serve, with these settings: those of the primary, whatever has become of the environment since. */
  | { readonly kind: 'start'; readonly config: Config }
  /** Drain, and end. */
  | { readonly kind: 'stop' };

/** What a worker tells the primary. */
export type Report =
  /** It listens. */
  | { readonly kind: 'ready'; readonly url: string }
  /** It could not start, and ends. */
  | { readonly kind: 'failed'; readonly reason: string; readonly stack: string | undefined };
