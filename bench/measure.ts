import type { Faults, Job, Outcome } from './load/jobs.ts';
import type { Places } from './profile.ts';
import type { ServerProcess } from './server-process.ts';
import { type Stage, TENANT } from './stage.ts';

/** A job without what is the same for all. */
export type Task = WithoutCommons<Job>;
type WithoutCommons<J extends Job> = J extends Job ? Omit<J, 'url' | 'secret' | 'tenantId'> : never;

export interface Measurement extends Outcome {
  /** What the server's processor time comes to for each unit of work; comparable also where something else is the limit. */
  readonly cpuMicros: number;
  /** Resident memory that each connection added; of an idle job only. */
  readonly kibPerConnection?: number | undefined;
  /** Where the server's time went; only when that was asked for, as looking takes time itself. */
  readonly places?: Places | undefined;
}

/** Makes a load do its task on a server, and looks at the server at its beginning and end. */
export async function measure(
  stage: Stage,
  server: ServerProcess,
  task: Task,
  { profile = false } = {},
): Promise<Measurement> {
  const cpuMicros = { begin: 0, end: 0 };
  const rssBytes = { before: 0, held: 0 };
  let places: Places | undefined;
  const job = { ...task, url: server.url, secret: stage.secret, tenantId: TENANT } as Job;
  await stage.rest();
  const running = stage.load.run(job, async (moment) => {
    if (moment === 'begin') cpuMicros.begin = (await server.usage(profile ? 'profile' : 'cpu')).cpuMicros;
    else if (moment === 'end') {
      const usage = await server.usage(profile ? 'places' : 'cpu');
      cpuMicros.end = usage.cpuMicros;
      places = usage.places;
    } else rssBytes[moment] = (await server.usage('memory')).rssBytes;
  });
  const outcome = await running.catch(async (error: unknown) => {
    // A server that has ended says more about it in its log.
    await server.usage('cpu');
    throw error;
  });
  const { units } = outcome;
  return {
    ...outcome,
    cpuMicros: (cpuMicros.end - cpuMicros.begin) / units,
    kibPerConnection: rssBytes.held === 0 ? undefined : (rssBytes.held - rssBytes.before) / 1024 / units,
    places,
  };
}

export const faultNames = ['lost', 'duplicated', 'misdirected', 'refused'] as const satisfies (keyof Faults)[];

export function sumFaults(all: readonly Faults[]): Faults {
  const sum = (name: keyof Faults): number => all.reduce((total, faults) => total + faults[name], 0);
  return { lost: sum('lost'), duplicated: sum('duplicated'), misdirected: sum('misdirected'), refused: sum('refused') };
}

export const isFlawless = (faults: Faults): boolean => faultNames.every((name) => faults[name] === 0);
