import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.ts';
import { closeAll } from './device.ts';
import { type FanoutJob, type Outcome, noFaults } from './jobs.ts';
import { connectDevices } from './people.ts';
import { type Tell, reachAll } from './send.ts';
import { Sender } from './sender.ts';
import { numberIn, titleOf } from './title.ts';

const PATIENCE_MS = 10_000;

/** @see FanoutJob */
export async function runFanout(job: FanoutJob, tell: Tell): Promise<Outcome> {
  const faults = noFaults();
  const names = Array.from({ length: job.devices }, () => job.userId);
  const heard = new Set<number>();
  /** The number of the newest send that each device has. */
  const newest = names.map(() => 0);
  let sent = 0;
  let reached = 0;
  let everybody = Promise.withResolvers<void>();

  using sender = await Sender.open(job, 'sender', 'graphql');
  const devices = await connectDevices(job, names, (index, frame) => {
    heard.add(index);
    const number = numberIn(frame);
    if (number === undefined) return;
    const missed = number - newest[index]! - 1;
    if (missed < 0) {
      faults.duplicated += 1;
      return;
    }
    faults.lost += missed;
    newest[index] = number;
    reached += 1;
    if (reached === job.devices) everybody.resolve();
  });
  await reachAll(sender, names, heard);

  const timesMs: number[] = [];
  async function sendFor(seconds: number): Promise<void> {
    const endMs = performance.now() + seconds * 1000;
    while (performance.now() < endMs && reached === (sent === 0 ? 0 : job.devices)) {
      sent += 1;
      reached = 0;
      everybody = Promise.withResolvers<void>();
      const startedMs = performance.now();
      if (!(await sender.send(job.userId, titleOf(sent)))) throw new Error('a send was refused');
      await Promise.race([everybody.promise, delay(PATIENCE_MS, undefined, { ref: false })]);
      timesMs.push(performance.now() - startedMs);
    }
  }

  await sendFor(job.warmupSeconds);
  await tell('begin');
  timesMs.length = 0;
  const before = sent;
  const startedMs = performance.now();
  await sendFor(job.seconds);
  const seconds = (performance.now() - startedMs) / 1000;
  await tell('end');
  faults.lost += newest.reduce((total, number) => total + sent - number, 0);
  if (devices.some(({ lost }) => lost)) throw new Error('the server ended connections');
  closeAll(devices);
  const units = (sent - before) * job.devices;
  const [p50Ms, p99Ms] = [quantile(timesMs, 0.5), quantile(timesMs, 0.99)];
  return { units, perSecond: units / seconds, p50Ms, p99Ms, faults };
}
