import { createHash, timingSafeEqual } from 'node:crypto';
import type { FastifyInstance } from 'fastify';
import { unauthenticated } from '../../errors.ts';
import type { Scrapes } from '../../metrics/scrapes.ts';
import { bearerToken } from '../bearer.ts';

/** The text format of Prometheus. */
const CONTENT_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

export interface MetricsRouteOptions {
  scrapes: Pick<Scrapes, 'text'>;
  metricsToken: string | undefined;
}

/** `/metrics`, for operators: with the token of `METRICS_TOKEN`, or, where that is not set, for everybody. */
export function metricsRoute(app: FastifyInstance, { scrapes, metricsToken }: MetricsRouteOptions): void {
  const expected = metricsToken === undefined ? undefined : digest(metricsToken);
  app.get('/metrics', { schema: { hide: true } }, async ({ headers }, reply) => {
    // Digests are of one length, and tell nothing of how much of a guess was right.
    if (expected && !timingSafeEqual(digest(bearerToken(headers.authorization) ?? ''), expected)) {
      throw unauthenticated('The metrics need the token of METRICS_TOKEN.');
    }
    const text = await scrapes.text();
    return reply.type(CONTENT_TYPE).header('cache-control', 'no-store').serializer(String).send(text);
  });
}
