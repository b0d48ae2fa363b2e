import { once } from 'node:events';
import { type AddressInfo, type Socket, createServer } from 'node:net';
import { expect, test } from '@jest/globals';
import { connectDatabase } from '../../src/database/database.ts';

/** A busy machine is to let the connection in within this. */
const TIMEOUT_MS = 1500;

/** AuthenticationOk and ReadyForQuery: all that a client waits for before its first statement. */
const WELCOME = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 0, 0x5a, 0, 0, 0, 5, 0x49]);

test('a database that falls silent as soon as it has let a connection in is given up in time, and keeps no place in the pool', async () => {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.once('data', () => socket.write(WELCOME));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const options = { poolMax: 1, timeoutMs: TIMEOUT_MS, rowLevelSecurity: true };
  const database = await connectDatabase({ url: `postgres://carillon@127.0.0.1:${port}/carillon`, ...options });
  try {
    for (const nth of [1, 2, 3]) {
      await expect(database.em.fork().execute('select 1')).rejects.toThrow('did not answer in time');
      expect(sockets).toHaveLength(nth);
    }
  } finally {
    await database.close(true);
    for (const socket of sockets) socket.destroy();
    server.close();
  }
});
