import { sql } from 'kysely';
import type { MikroORM as Database } from '@mikro-orm/postgresql';
import type { Topics } from '../pubsub/topics.ts';

const TIMEOUT_MS = 2000;

/** Whether the database, and the broker of topics, answer within two seconds. */
export function createReadiness(database: Database, topics: Topics): () => Promise<boolean> {
  return async () => {
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), TIMEOUT_MS);
    const tooLate = new Promise<boolean>((resolve) => late.signal.addEventListener('abort', () => resolve(false)));
    const ask = () => sql`select 1`.execute(database.em.getConnection().getClient());
    // Again on another connection: one that was cut while nobody used it says nothing of the database.
    const answers = Promise.all([ask().catch(ask), topics.ping()]);
    const ready = await Promise.race([
      answers.then(
        () => true,
        () => false,
      ),
      tooLate,
    ]);
    clearTimeout(timer);
    return ready;
  };
}
