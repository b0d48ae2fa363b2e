import { GRAPHQL_TRANSPORT_WS_PROTOCOL } from 'graphql-ws';
import { NO_EPOCH, encodeCursor } from '../../src/services/cursor.ts';
import type { Person, TestApp } from '../support/app.ts';
import { type ConnectOptions, type Message, SocketClient } from '../support/socket-client.ts';

/** A legacy socket that has had its welcome. */
export async function connectLegacy(
  app: TestApp,
  { token }: { token: string },
  query: Record<string, string> = {},
  options: ConnectOptions = {},
): Promise<SocketClient & { welcome: Message }> {
  const client = await SocketClient.connect(app.legacySocketUrl(query), { token, ...options });
  return Object.assign(client, { welcome: await client.next() });
}

/** A graphql-transport-ws socket before its connection_init. */
export const openGraphQL = (app: TestApp, options: ConnectOptions = {}): Promise<SocketClient> =>
  SocketClient.connect(app.graphqlSocketUrl, { protocol: GRAPHQL_TRANSPORT_WS_PROTOCOL, ...options });

/** A graphql-transport-ws socket that is acknowledged. */
export async function connectGraphQL(
  app: TestApp,
  { token }: { token: string },
  options: ConnectOptions = {},
): Promise<SocketClient> {
  const client = await openGraphQL(app, options);
  client.send({ type: 'connection_init', payload: { authorization: `Bearer ${token}` } });
  const ack = await client.next();
  if (ack['type'] !== 'connection_ack') throw new Error(`not acknowledged: ${JSON.stringify(ack)}`);
  return client;
}

const SUBSCRIPTION = `subscription ($after: String) {
  notificationAdded(after: $after) { id cursor title type priority isRead }
}`;

/** Before everything that an inbox holds, or will hold. */
export const BEGINNING = encodeCursor(NO_EPOCH, 0);

/**
 * Begins a subscription. Nothing tells when one stands, so it begins at a cursor: what comes while it is being attached
 * is not missed.
 */
export function subscribe(client: SocketClient, id: string, after: string | null = BEGINNING): void {
  client.send({ id, type: 'subscribe', payload: { query: SUBSCRIPTION, variables: { after } } });
}

/** Sends a notification by REST and answers with it. */
export async function sendTo(
  app: TestApp,
  { id, token }: Person,
  content: Record<string, unknown> = {},
): Promise<Message> {
  const { status, body } = await app.rest('POST', '/api/v1/notifications', {
    token,
    body: { user_id: id, title: 'Title', content: 'Content', ...content },
  });
  if (status !== 200) throw new Error(`not sent: ${JSON.stringify(body)}`);
  return body as Message;
}
