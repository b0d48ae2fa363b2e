// Preloaded into each server that is measured: tells its parent what the process has used so far.
import { Session } from 'node:inspector/promises';
import { type Places, placesIn } from './profile.ts';

/** `memory` is told after what can be freed has been freed; `profile` begins to look where the time goes. */
export type Question = 'cpu' | 'memory' | 'profile' | 'places';

export interface Usage {
  /** User and system time of all threads. */
  readonly cpuMicros: number;
  /** Resident memory. */
  readonly rssBytes: number;
  /** Where the time went since `profile`; the answer to `places`. */
  readonly places?: Places;
}

const COLLECTIONS = 3;
const SAMPLE_MICROS = 200;

const session = new Session();

async function answer(question: Question): Promise<Usage> {
  let places: Places | undefined;
  if (question === 'memory') for (let n = 0; n < COLLECTIONS; n += 1) globalThis.gc?.();
  if (question === 'profile') {
    session.connect();
    await session.post('Profiler.enable');
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROS });
    await session.post('Profiler.start');
  }
  const { user, system } = process.cpuUsage();
  const usage = { cpuMicros: user + system, rssBytes: process.memoryUsage.rss() };
  if (question === 'places') {
    const { profile } = await session.post('Profiler.stop');
    session.disconnect();
    places = placesIn(profile);
  }
  return places ? { ...usage, places } : usage;
}

process.on('message', (question: Question) => {
  answer(question).then(
    (usage) => process.send?.(usage),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
});
// Whoever measures is gone.
process.on('disconnect', () => process.exit(0));
