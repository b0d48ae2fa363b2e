import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Caller } from '../../services/caller.ts';
import type { Limits } from '../../services/notification-rules.ts';
import { pointsOfPage } from '../../services/rate-limits.ts';
import type { SentNotifications } from '../../services/sent-notifications.ts';
import { errorBody } from './errors.ts';
import { notificationBody, toBody } from './notification.ts';
import { pageQuery } from './page-query.ts';

export interface SentRoutesOptions {
  sent: SentNotifications;
  limits: Limits;
  callerOf: (request: FastifyRequest) => Caller;
  spendMore: (caller: Caller, points: number) => void;
}

export function sentRoutes(plain: FastifyInstance, { sent, limits, callerOf, spendMore }: SentRoutesOptions): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  app.get(
    '/notifications/sent',
    {
      schema: {
        operationId: 'listSent',
        summary: 'List what the caller sent, newest first, with when it was read',
        querystring: z.object(pageQuery(limits)),
        response: {
          200: z.object({
            items: z.array(notificationBody),
            page: z.int(),
            page_size: z.int(),
            has_more: z.boolean().meta({ description: 'Whether there is a next page.' }),
          }),
          '4XX': errorBody,
          '5XX': errorBody,
        },
      },
    },
    async (req) => {
      const { page, page_size } = req.query;
      const caller = callerOf(req);
      spendMore(caller, pointsOfPage(page_size));
      const found = await sent.listPage(caller, page, page_size);
      return { items: found.notifications.map(toBody), page, page_size, has_more: found.hasNextPage };
    },
  );
}
