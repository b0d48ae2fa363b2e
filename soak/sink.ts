import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Inbox } from '../torture/population.ts';
import type { Town } from './town.ts';

/** Where webhooks go: takes whatever comes. */
export interface Sink extends AsyncDisposable {
  readonly url: string;
  /** Requests so far; a message comes again when its answer is late. */
  readonly received: number;
}

export async function openSink(): Promise<Sink> {
  let received = 0;
  const server = createServer((request, response) => {
    received += 1;
    request.resume().on('end', () => response.writeHead(204).end());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    get received() {
      return received;
    },
    async [Symbol.asyncDispose]() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

/** Gives each tenant the sink as its webhook. */
export async function addWebhooks(town: Town, { url }: Sink): Promise<void> {
  const admins = new Map<string, Inbox>(town.inboxes.map((inbox) => [inbox.tenantId, inbox]));
  const query = 'mutation ($url: String!) { addContact(channel: WEBHOOK, address: $url) { contact { id } } }';
  for (const admin of admins.values()) await town.ask(admin, query, { variables: { url } });
}
