import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Caller } from '../../services/caller.ts';
import type { Recalls } from '../../services/recalls.ts';
import { errorBody } from './errors.ts';
import { notificationBody, toBody } from './notification.ts';

export interface RecallRoutesOptions {
  recalls: Recalls;
  callerOf: (request: FastifyRequest) => Caller;
}

export function recallRoutes(plain: FastifyInstance, { recalls, callerOf }: RecallRoutesOptions): void {
  plain.withTypeProvider<ZodTypeProvider>().post(
    '/notifications/:id/recall',
    {
      schema: {
        operationId: 'recallNotification',
        summary: 'Recall one that you sent',
        params: z.object({ id: z.string() }),
        response: { 200: notificationBody, '4XX': errorBody, '5XX': errorBody },
      },
    },
    async (req) => toBody(await recalls.recall(callerOf(req), req.params.id)),
  );
}
