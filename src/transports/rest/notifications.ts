import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { badInput, forbidden } from '../../errors.ts';
import type { Caller } from '../../services/caller.ts';
import { type Limits, notificationFields } from '../../services/notification-rules.ts';
import type { Notifications } from '../../services/notifications.ts';
import { pointsOfIds, pointsOfPage } from '../../services/rate-limits.ts';
import { errorBody, toCarillonError } from './errors.ts';
import { channels, notificationBody, priorities, toBody, types } from './notification.ts';
import { pageQuery } from './page-query.ts';

export interface NotificationRoutesOptions {
  notifications: Notifications;
  limits: Limits;
  callerOf: (request: FastifyRequest) => Caller;
  /** What is worth so many points, of which one has been spent. @throws CarillonError RATE_LIMITED. */
  spendMore: (caller: Caller, points: number) => void;
}

const upper = <T extends string>(value: T): Uppercase<T> => value.toUpperCase() as Uppercase<T>;

/** Old callers send "" for what they do not have. */
const orAbsent = <T extends z.ZodType>(rule: T) =>
  z.preprocess((value) => (value === '' || value === null ? undefined : value), rule.optional());

const WORDS: ReadonlyMap<unknown, boolean | undefined> = new Map([
  ['true', true],
  ['1', true],
  ['false', false],
  ['0', false],
  ['', undefined],
]);

const yesOrNo = z.preprocess(
  (text) => (WORDS.has(text) ? WORDS.get(text) : text),
  z.boolean('must be true or false').default(false),
);

/** A point in time, with its offset. */
const instant = z.iso.datetime({ offset: true, error: 'must be a time such as 2026-01-31T09:30:00Z' });

const toDate = (text: string | undefined): Date | undefined => (text === undefined ? undefined : new Date(text));

/** The bodies and queries of the legacy routes, out of the rules of the fields. */
function requests(limits: Limits) {
  const field = notificationFields(limits);
  return {
    send: z
      .object({
        type: orAbsent(types.meta({ default: 'system' })),
        title: field.title,
        content: field.content,
        priority: orAbsent(priorities.meta({ default: 'normal' })),
        user_id: orAbsent(field.recipientId),
        tenant_id: orAbsent(z.string()).meta({ description: 'Must be the token’s.' }),
        link: orAbsent(field.link),
        data: field.data.optional(),
        channel: orAbsent(channels.meta({ default: 'in_app' })),
        related_type: orAbsent(field.relatedType),
        related_id: orAbsent(field.relatedId),
        expires_at: orAbsent(instant).meta({ description: 'When it leaves the inbox by itself; in the future.' }),
        send_at: orAbsent(instant).meta({ description: 'When to send it; at most a year ahead, before it expires.' }),
      })
      .meta({ id: 'SendRequest' }),
    ids: z.object({ ids: field.ids }),
    list: z.object({
      ...pageQuery(limits),
      only_unread: yesOrNo,
      type: orAbsent(types),
    }),
  };
}

const oneId = z.object({ id: z.string() });
const failures = { '4XX': errorBody, '5XX': errorBody };

/** The header, unless it came twice: then nobody knows which one is meant. */
function idempotencyKey(request: FastifyRequest): string | undefined {
  // In `headers` Node joins repetitions with a comma, which a key may hold as well.
  const [value, second] = request.raw.headersDistinct['idempotency-key'] ?? [];
  if (second !== undefined) throw badInput('idempotencyKey', 'Idempotency-Key must be given once.');
  return value;
}

export function notificationRoutes(
  plain: FastifyInstance,
  { notifications, limits, callerOf, spendMore }: NotificationRoutesOptions,
): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  const request = requests(limits);

  app.post(
    '/notifications',
    {
      schema: {
        operationId: 'sendNotification',
        summary: 'Send a notification',
        headers: z.object({ 'idempotency-key': field(limits).optional() }),
        body: request.send,
        response: { 200: notificationBody, ...failures },
      },
      // A send that is refused at the door counts like one that the service refuses.
      errorHandler(error, req, reply) {
        notifications.refusedAtDoor(toCarillonError(error) ?? error);
        return plain.errorHandler(error, req, reply);
      },
    },
    async (req) => {
      const caller = callerOf(req);
      const { tenant_id, type, priority, channel, user_id, related_type, related_id, expires_at, send_at, ...content } =
        req.body;
      if (tenant_id !== undefined && tenant_id !== caller.tenantId) {
        throw forbidden('tenant_id is not the tenant of the token.');
      }
      const sent = await notifications.send(caller, {
        ...content,
        recipientId: user_id,
        type: type && upper(type),
        priority: priority && upper(priority),
        channel: channel && upper(channel),
        relatedType: related_type,
        relatedId: related_id,
        expiresAt: toDate(expires_at),
        sendAt: toDate(send_at),
        idempotencyKey: idempotencyKey(req),
      });
      return toBody(sent);
    },
  );

  app.get(
    '/notifications',
    {
      schema: {
        operationId: 'listNotifications',
        summary: 'List the inbox, newest first',
        querystring: request.list,
        response: {
          200: z.object({
            items: z.array(notificationBody),
            total: z.int().meta({ description: 'How many match the filter.' }),
            page: z.int(),
            page_size: z.int(),
          }),
          ...failures,
        },
      },
    },
    async (req) => {
      const { page, page_size, only_unread, type } = req.query;
      const filter = {
        unread: only_unread ? true : undefined,
        types: type === undefined ? undefined : [upper(type)],
      };
      const caller = callerOf(req);
      spendMore(caller, pointsOfPage(page_size));
      const found = await notifications.listPage(caller, page, page_size, filter);
      return { items: found.notifications.map(toBody), total: found.total, page, page_size };
    },
  );

  app.get(
    '/notifications/unread-count',
    {
      schema: {
        operationId: 'countUnread',
        summary: 'Count the unread ones',
        response: { 200: z.object({ count: z.int() }), ...failures },
      },
    },
    async (req) => ({ count: await notifications.unreadCount(callerOf(req)) }),
  );

  app.put(
    '/notifications/read',
    {
      schema: {
        operationId: 'markManyRead',
        summary: 'Mark many as read',
        body: request.ids,
        response: { 200: z.object({ count: z.int(), success: z.literal(true) }), ...failures },
      },
    },
    async (req) => {
      const caller = callerOf(req);
      spendMore(caller, pointsOfIds(req.body.ids.length));
      const { count } = await notifications.batchMarkRead(caller, req.body.ids);
      return { count, success: true as const };
    },
  );

  app.get(
    '/notifications/:id',
    {
      schema: {
        operationId: 'getNotification',
        summary: 'Get one',
        params: oneId,
        response: { 200: notificationBody, ...failures },
      },
    },
    async (req) => toBody(await notifications.get(callerOf(req), req.params.id)),
  );

  app.put(
    '/notifications/:id/read',
    {
      schema: {
        operationId: 'markRead',
        summary: 'Mark one as read',
        params: oneId,
        response: { 200: notificationBody, ...failures },
      },
    },
    async (req) => toBody(await notifications.markRead(callerOf(req), req.params.id)),
  );

  app.delete(
    '/notifications/:id',
    {
      schema: {
        operationId: 'deleteNotification',
        summary: 'Delete one',
        params: oneId,
        response: { 200: z.object({ success: z.literal(true) }), ...failures },
      },
    },
    async (req) => {
      await notifications.delete(callerOf(req), req.params.id);
      return { success: true as const };
    },
  );
}

const field = (limits: Limits) => notificationFields(limits).idempotencyKey;
