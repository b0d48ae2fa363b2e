import { WebSocket } from 'ws';
import { type WireResult, operationOf, takenFrom, words } from './client-graphql.ts';
import type { Connection, Dial, Taken, Visit } from './device.ts';
import type { DoorKind } from './population.ts';

const SILENCE_MS = 4000;

/** A WebSocket that tells a visit what becomes of it. */
function open(visit: Visit, path: string, protocols: string[], onText: (socket: WebSocket, text: string) => void) {
  const socket = new WebSocket(`${visit.url.replace('http', 'ws')}${path}`, protocols, {
    handshakeTimeout: SILENCE_MS,
    perMessageDeflate: false,
  });
  socket.on('error', (error) => visit.ended(words(error)));
  socket.on('close', (code, reason) => visit.ended(`closed ${code} ${reason.toString()}`.trim()));
  socket.on('ping', visit.heard);
  socket.on('message', (data) => {
    visit.heard();
    try {
      onText(socket, (data as Buffer).toString());
    } catch (error) {
      visit.ended(words(error));
    }
  });
  return socket;
}

/** `pause` of ws is for open sockets only. */
const isOpen = ({ readyState }: WebSocket): boolean => readyState === WebSocket.OPEN;

function connectionOf(socket: WebSocket, ping: unknown): Connection {
  const tell = (message: unknown): void => {
    if (isOpen(socket)) socket.send(JSON.stringify(message), () => {});
  };
  return {
    silenceMs: SILENCE_MS,
    ping: () => tell(ping),
    pause: () => {
      if (isOpen(socket)) socket.pause();
      else socket.once('open', () => socket.pause());
    },
    resume: () => socket.resume(),
    abort: () => socket.terminate(),
  };
}

interface ProtocolMessage {
  type: string;
  payload?: unknown;
}

/** Listens over graphql-transport-ws. */
export const dialGraphQL =
  (kind: DoorKind): Dial =>
  (visit) => {
    const socket = open(visit, '/graphql', ['graphql-transport-ws'], (opened, text) => {
      const message = JSON.parse(text) as ProtocolMessage;
      const tell = (answer: unknown): void => opened.send(JSON.stringify(answer), () => {});
      if (message.type === 'ping') tell({ type: 'pong' });
      else if (message.type === 'connection_ack') {
        tell({ id: 'live', type: 'subscribe', payload: operationOf(kind, visit.after) });
      } else if (message.type === 'next') visit.taken(takenFrom(message.payload as WireResult));
      else if (message.type === 'error') takenFrom({ errors: message.payload as { message: string }[] });
      else if (message.type === 'complete') visit.ended('complete');
    });
    socket.on('open', () => {
      const init = { type: 'connection_init', payload: { authorization: `Bearer ${visit.inbox.token}` } };
      socket.send(JSON.stringify(init), () => {});
    });
    return connectionOf(socket, { type: 'ping' });
  };

interface LegacyMessage {
  type: 'welcome' | 'notification' | 'read' | 'unread' | 'deleted' | 'recalled' | 'pong' | 'error';
  message?: string;
  notification?: { id: string; cursor: string; is_read: boolean; data: { key: string } | null };
  notification_ids?: string[];
  unread_count?: number;
}

function takenFromLegacy({ type, notification, notification_ids: ids = [], unread_count }: LegacyMessage): Taken {
  const unread = unread_count;
  if (type === 'welcome' || type === 'read' || type === 'deleted') return { kind: type, ids, unread };
  if (type === 'recalled') return { kind: 'deleted', ids, unread };
  if (type === 'unread') return { kind: 'updated', ids, isRead: false, unread };
  if (!notification) throw new Error(`a message of type ${type} without a notification`);
  const { id, cursor, is_read: isRead, data } = notification;
  return { kind: 'added', cursor, ids: [id], isRead, key: data?.key, unread };
}

/** Listens at the legacy socket. */
export const dialLegacy: Dial = (visit) => {
  const query = new URLSearchParams({ token: visit.inbox.token, since: visit.after });
  const socket = open(visit, `/api/v1/notifications/ws?${query.toString()}`, [], (_opened, text) => {
    const message = JSON.parse(text) as LegacyMessage;
    if (message.type === 'pong') return;
    // What is no use of `since` says is told like a reset; anything else ends the visit.
    if (message.type !== 'error') visit.taken(takenFromLegacy(message));
    else if (/since|began anew/.test(message.message ?? '')) visit.taken({ kind: 'reset', ids: [] });
    else visit.ended(message.message ?? 'error');
  });
  return connectionOf(socket, { type: 'ping' });
};
