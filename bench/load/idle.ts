import { setTimeout as delay } from 'node:timers/promises';
import { closeAll } from './device.ts';
import { type IdleJob, type Outcome, noFaults } from './jobs.ts';
import { connectDevices, namesOf } from './people.ts';
import type { Tell } from './send.ts';

/** The first connections make a server load and compile what later ones share. */
const FIRST = 100;
const CALM_MS = 500;

/** @see IdleJob */
export async function runIdle(job: IdleJob, tell: Tell): Promise<Outcome> {
  closeAll(await connectDevices(job, namesOf({ prefix: 'first ', count: FIRST }), () => {}));
  await delay(CALM_MS);
  await tell('before');
  await tell('begin');
  const startedMs = performance.now();
  const devices = await connectDevices(job, namesOf(job.users), () => {});
  const seconds = (performance.now() - startedMs) / 1000;
  await tell('end');
  await delay(CALM_MS);
  await tell('held');
  const dropped = devices.filter(({ lost }) => lost).length;
  closeAll(devices);
  return { units: devices.length, perSecond: devices.length / seconds, faults: { ...noFaults(), refused: dropped } };
}
