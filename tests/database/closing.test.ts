import { expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { connectDatabase } from '../../src/database/database.ts';
import { createTestDatabase } from '../support/postgres.ts';

test('closing amid a connection that is only being made ends, and fails the statement that waits for it', async () => {
  await using home = await createTestDatabase();
  const database = await connectDatabase({ url: home.url, poolMax: 2, timeoutMs: 10_000, rowLevelSecurity: false });
  const statement = sql`select 1`.execute(database.em.getConnection().getClient());
  const refused = expect(statement).rejects.toThrow('being closed');
  // By then the pool is opening the connection, which takes a round trip.
  await new Promise(setImmediate);
  await database.close(true);
  await refused;
});
