import { setTimeout as delay } from 'node:timers/promises';
import { quantile } from '../statistics.ts';
import { type AskJob, type Outcome, noFaults } from './jobs.ts';
import { Lane } from './lane.ts';
import { graphqlRequest } from './people.ts';
import type { Tell } from './send.ts';
import { isGood } from './sender.ts';

/** @see AskJob */
export async function runAsks(job: AskJob, tell: Tell): Promise<Outcome> {
  const text = graphqlRequest(job, job.userId, job.query, job.variables);
  const lanes = await Promise.all(Array.from({ length: job.lanes }, () => Lane.open(job.url)));
  const faults = noFaults();
  const answersMs: number[] = [];
  const stopped = new AbortController();
  const working = lanes.map(async (lane) => {
    while (!stopped.signal.aborted && faults.refused < 10) {
      const startedMs = performance.now();
      const answer = await lane.request(text);
      if (!isGood(answer) || !answer.body.includes(job.expected)) faults.refused += 1;
      answersMs.push(performance.now() - startedMs);
    }
  });
  await delay(job.warmupSeconds * 1000);
  await tell('begin');
  answersMs.length = 0;
  const startedMs = performance.now();
  await delay(job.seconds * 1000);
  stopped.abort();
  const units = answersMs.length;
  const seconds = (performance.now() - startedMs) / 1000;
  await tell('end');
  await Promise.all(working);
  for (const lane of lanes) lane[Symbol.dispose]();
  const [p50Ms, p99Ms] = [quantile(answersMs, 0.5), quantile(answersMs, 0.99)];
  return { units, perSecond: units / seconds, p50Ms, p99Ms, faults };
}
