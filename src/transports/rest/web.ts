import type { FastifyInstance, RouteHandlerMethod } from 'fastify';
import { CarillonError } from '../../errors.ts';
import { type ConsoleInfo, createConsole } from '../../web/console.ts';
import { homePage } from '../../web/home.ts';

/** The console at `/`, or a page that says where everything is, where the console has not been built. */
export function webRoutes(app: FastifyInstance, info: ConsoleInfo): void {
  const hidden = { schema: { hide: true } };
  app.get('/console.json', hidden, (_request, reply) => reply.header('Cache-Control', 'no-cache').send(info));
  const serveFile = createConsole();
  if (serveFile === null) {
    app.get('/', hidden, (_request, reply) => reply.type('text/html; charset=utf-8').send(homePage));
    return;
  }
  const serve: RouteHandlerMethod = (request, reply) => {
    serveFile(request.raw, reply.raw, () => {
      void reply.send(new CarillonError('NOT_FOUND', 'There is nothing at this address.'));
    });
  };
  app.get('/', hidden, serve);
  app.get('/assets/*', hidden, serve);
}
