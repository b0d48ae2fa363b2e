// The process that makes the load: takes one job at a time from its parent, and tells what came of it.
import { runAsks } from './ask.ts';
import { runFanout } from './fanout.ts';
import { runIdle } from './idle.ts';
import type { FromLoad, Job, Moment, Outcome, ToLoad } from './jobs.ts';
import { runSends } from './send.ts';
import { runSteadily } from './steady.ts';

let goOn = Promise.withResolvers<void>();

const tellParent = (message: FromLoad): void => void process.send?.(message);

/** Resolves when the parent has looked. */
async function tell(moment: Moment): Promise<void> {
  goOn = Promise.withResolvers<void>();
  tellParent({ moment });
  await goOn.promise;
}

function run(job: Job): Promise<Outcome> {
  switch (job.kind) {
    case 'send':
      return runSends(job, tell);
    case 'steady':
      return runSteadily(job, tell);
    case 'fanout':
      return runFanout(job, tell);
    case 'idle':
      return runIdle(job, tell);
    case 'ask':
      return runAsks(job, tell);
  }
}

process.on('message', (message: ToLoad) => {
  if ('go' in message) {
    goOn.resolve();
    return;
  }
  run(message.job).then(
    (outcome) => tellParent({ outcome }),
    (error: unknown) =>
      tellParent({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  );
});
// A lane that is lost is found out while its job waits for something else.
process.on('unhandledRejection', (error: unknown) => {
  tellParent({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
});
process.on('disconnect', () => process.exit(0));
