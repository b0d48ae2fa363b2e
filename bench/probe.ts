// Preloaded into each server that is measured: tells its parent what the process has used so far.
import { Session } from 'node:inspector/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { type Places, placesIn } from './profile.ts';

/**
 * `memory` is told after what can be freed has been freed; `profile` begins to look where the time goes, and the first
 * `lag` to look how late the event loop is.
 */
export type Question = 'cpu' | 'memory' | 'lag' | 'profile' | 'places';

export interface Usage {
  /** User and system time of all threads. */
  readonly cpuMicros: number;
  /** Resident memory. */
  readonly rssBytes: number;
  /** Of the JavaScript heap, what is in use. */
  readonly heapBytes: number;
  /** How late the event loop was, of a hundred times the second latest, since this was last asked; the answer to `lag`. */
  readonly lagMs?: number;
  /** Where the time went since `profile`; the answer to `places`. */
  readonly places?: Places;
}

const COLLECTIONS = 3;
const SAMPLE_MICROS = 200;
const LAG_RESOLUTION_MS = 10;

const session = new Session();
let lag: ReturnType<typeof monitorEventLoopDelay> | undefined;

function lagSinceLast(): number {
  const lagMs = lag === undefined ? 0 : Math.max(0, lag.percentile(99) / 1e6 - LAG_RESOLUTION_MS);
  lag ??= monitorEventLoopDelay({ resolution: LAG_RESOLUTION_MS });
  lag.reset();
  lag.enable();
  return lagMs;
}

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
  const { rss: rssBytes, heapUsed: heapBytes } = process.memoryUsage();
  const usage = { cpuMicros: user + system, rssBytes, heapBytes };
  if (question === 'lag') return { ...usage, lagMs: lagSinceLast() };
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
