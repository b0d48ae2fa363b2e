import type { FastifyInstance, FastifyReply } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { Session, Sessions } from '../../services/sessions.ts';
import type { AddressOf } from '../address.ts';
import { asEveryTenant, asTenant } from '../../scope.ts';
import { errorBody } from './errors.ts';

const sessionBody = z
  .object({
    access_token: z.string(),
    refresh_token: z.string().meta({ description: 'Good for one refresh.' }),
    token_type: z.literal('Bearer'),
    expires_in: z.int().meta({ description: 'Seconds.' }),
    user: z.object({ id: z.string(), username: z.string(), tenant_id: z.string(), roles: z.array(z.string()) }),
  })
  .meta({ id: 'Session' });

const toBody = ({ accessToken, refreshToken, expiresIn, user }: Session): z.infer<typeof sessionBody> => ({
  access_token: accessToken,
  refresh_token: refreshToken,
  token_type: 'Bearer',
  expires_in: expiresIn,
  user: { id: user.id, username: user.username, tenant_id: user.tenantId, roles: user.roles },
});

const refreshBody = z.object({ refresh_token: z.string().min(1).max(1024) });

const answers = { 200: sessionBody, '4XX': errorBody, '5XX': errorBody };

/** Nobody is known yet: a name is looked up in its tenant, or in all of them, and a refresh token may be anybody's. */
export function authRoutes(plain: FastifyInstance, sessions: Sessions, addressOf: AddressOf): void {
  const app = plain.withTypeProvider<ZodTypeProvider>();
  // RFC 6749 section 5.1: no cache on the way may keep tokens.
  const onSend = async (_request: unknown, reply: FastifyReply): Promise<void> => {
    reply.header('cache-control', 'no-store');
  };

  app.post(
    '/auth/login',
    {
      config: { public: true },
      onSend,
      schema: {
        operationId: 'login',
        summary: 'Log in',
        security: [],
        body: z.object({
          username: z.string(),
          password: z.string(),
          tenant_id: z
            .string()
            .nullish()
            .meta({ description: 'Needed where several tenants have a user of that name.' }),
        }),
        response: answers,
      },
    },
    async ({ raw, body: { username, password, tenant_id } }) => {
      const tenantId = tenant_id || undefined;
      const login = () => sessions.login({ username, password, tenantId }, addressOf(raw));
      return toBody(await (tenantId === undefined ? asEveryTenant(login) : asTenant(tenantId, login)));
    },
  );

  app.post(
    '/auth/refresh',
    {
      config: { public: true },
      onSend,
      schema: {
        operationId: 'refresh',
        summary: 'Exchange a refresh token for a new pair',
        description: 'A refresh token that comes a second time ends all that came of the same login.',
        security: [],
        body: refreshBody,
        response: answers,
      },
    },
    async ({ body }) => toBody(await asEveryTenant(() => sessions.refresh(body.refresh_token))),
  );

  app.post(
    '/auth/logout',
    {
      config: { public: true },
      schema: {
        operationId: 'logout',
        summary: 'End the session of a refresh token',
        description:
          'Its access tokens and its live connections end as well. A token that is not known is over already.',
        security: [],
        body: refreshBody,
        response: { 200: z.object({ success: z.literal(true) }), '4XX': errorBody, '5XX': errorBody },
      },
    },
    async ({ body }) => {
      await asEveryTenant(() => sessions.logout(body.refresh_token));
      return { success: true as const };
    },
  );
}
