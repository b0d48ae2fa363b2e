import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server as HttpServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { pino } from 'pino';
import { type Channel, DeliveryFailure, type Outbound, type Outcome } from '../../src/services/channel.ts';

export const silent = pino({ level: 'silent' });

/** Longer than anything here takes, and shorter than a test may. */
export const PATIENCE_MS = 10_000;

type Changes = Partial<Omit<Outbound, 'notification'>> & { notification?: Partial<Outbound['notification']> };

export function outbound({ notification, ...rest }: Changes = {}): Outbound {
  return {
    id: randomUUID(),
    address: 'uma@example.com',
    secrets: [],
    ...rest,
    notification: {
      id: randomUUID(),
      tenantId: 'acme',
      recipientId: 'uma',
      senderId: 'sam',
      type: 'MESSAGE',
      priority: 'NORMAL',
      title: 'Lunch',
      content: 'At noon?',
      link: null,
      data: { table: 4 },
      createdAt: new Date('2026-03-01T11:00:00.000Z'),
      ...notification,
    },
  };
}

export const deliver = (channel: Channel, changes: Changes, signal?: AbortSignal): Promise<Outcome> =>
  channel.deliver(outbound(changes), signal ?? AbortSignal.timeout(PATIENCE_MS));

/** What an attempt fails with: all of what the channel says about it. */
export async function failureOf(attempt: Promise<unknown>): Promise<DeliveryFailure> {
  const error: unknown = await attempt.then(
    (outcome) => new Error(`it did not fail: ${JSON.stringify(outcome)}`),
    (reason: unknown) => reason,
  );
  if (error instanceof DeliveryFailure) return error;
  throw error;
}

export interface Received {
  method: string | undefined;
  path: string | undefined;
  headers: IncomingMessage['headers'];
  bytes: Buffer;
  body: string;
}

export interface FarSide extends AsyncDisposable {
  readonly port: number;
  readonly received: Received[];
}

/** Has a server listen on a free port of this machine until it is disposed of; then `hangUp` ends its connections. */
async function listen(server: NetServer, hangUp: () => void): Promise<{ port: number } & AsyncDisposable> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      hangUp();
      await closed;
    },
  };
}

export const listenHttp = (server: HttpServer | HttpsServer) => listen(server, () => server.closeAllConnections());

/** A server that speaks any protocol. */
export function listenRaw(talk: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createNetServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    talk(socket);
  });
  return listen(server, () => {
    for (const socket of sockets) socket.destroy();
  });
}

/** A handler that keeps what it receives, and then has the request answered. */
export function keeping(received: Received[], answer: RequestListener): RequestListener {
  return (request, response) => {
    void buffer(request).then((bytes) => {
      const { method, url: path, headers } = request;
      received.push({ method, path, headers, bytes, body: bytes.toString() });
      answer(request, response);
    });
  };
}

/** A far side that speaks HTTP. */
export async function startFarSide(answer: RequestListener): Promise<FarSide> {
  const received: Received[] = [];
  const listening = await listenHttp(createServer(keeping(received, answer)));
  return { ...listening, received };
}

/** Answers every request with this status. */
export const answering =
  (status: number, headers: Record<string, string> = {}, body = ''): RequestListener =>
  (_request, response) =>
    response.writeHead(status, headers).end(body);
