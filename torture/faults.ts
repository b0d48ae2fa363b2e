import { setTimeout as delay } from 'node:timers/promises';
import type { Cluster, Node } from './cluster.ts';
import type { Device } from './device.ts';
import type { Direction, Link } from './proxy.ts';
import type { Random } from './random.ts';
import type { Senders } from './senders.ts';

/** What a fault may touch. */
export interface Stage {
  cluster: Cluster;
  devices: readonly Device[];
  senders: Senders;
  random: Random;
  /** Ends with the faults: what waits for a recovery stops waiting. */
  signal: AbortSignal;
}

/** The part of the system that a fault is about; one fault at a time each. */
export type Part = 'instance' | 'redis' | 'postgres' | 'clients' | 'readers';

export interface Fault {
  readonly part: Part;
  /** Resolves when the part is whole again. */
  strike(stage: Stage): Promise<void>;
}

const anyNode = ({ cluster, random }: Stage): Node => random.pick(cluster.nodes);

const pause = async ({ random }: Stage, leastMs: number, mostMs: number): Promise<void> => {
  await delay(random.between(leastMs, mostMs));
};

/** Ends one server, and waits until it serves again. */
const ending = (signal: NodeJS.Signals): Fault => ({
  part: 'instance',
  async strike(stage) {
    const { instance } = anyNode(stage);
    instance.signal(signal);
    await instance.listening(stage.signal).catch(() => {});
  },
});

const rollingRestart: Fault = {
  part: 'instance',
  async strike(stage) {
    for (const { instance } of stage.random.shuffle(stage.cluster.nodes)) {
      if (stage.signal.aborted) return;
      instance.signal('SIGTERM');
      await instance.listening(stage.signal).catch(() => {});
    }
  },
};

const frozenInstance: Fault = {
  part: 'instance',
  async strike(stage) {
    const { instance } = anyNode(stage);
    instance.signal('SIGSTOP');
    await pause(stage, 1500, 7000);
    instance.signal('SIGCONT');
  },
};

const frozenRedis: Fault = {
  part: 'redis',
  async strike(stage) {
    const { redisPid } = stage.cluster;
    process.kill(redisPid, 'SIGSTOP');
    await pause(stage, 1000, 5000);
    process.kill(redisPid, 'SIGCONT');
  },
};

const killedRedis: Fault = {
  part: 'redis',
  strike: ({ cluster, random }) => cluster.restartRedis(random.between(0, 2500)),
};

const restartedPostgres = (signal: 'SIGINT' | 'SIGQUIT'): Fault => ({
  part: 'postgres',
  strike: ({ cluster, random }) => cluster.restartPostgres(signal, random.between(0, 1500)),
});

/** Breaks client connections, of one server or of both, all or some. */
const cutClients: Fault = {
  part: 'clients',
  async strike({ cluster, random }) {
    const share = random.pick([1, 0.5, 0.2]);
    const nodes = random.chance(0.5) ? cluster.nodes : [random.pick(cluster.nodes)];
    for (const { clients } of nodes) clients.cut(() => random.chance(share));
  },
};

type LinkName = 'clients' | 'redis' | 'postgres';

/** One direction of one link carries nothing for a while; then what waited goes on, or its connections break. */
const held = (part: LinkName, direction: Direction): Fault => ({
  part,
  async strike(stage) {
    const link: Link = anyNode(stage)[part];
    link.hold(direction);
    await pause(stage, 1000, 6000);
    if (stage.random.chance(0.4)) link.cut();
    link.release(direction);
  },
});

/** Present connections of one link go dead without a word; new ones work. */
const forgotten = (part: LinkName): Fault => ({
  part,
  async strike(stage) {
    const reset = anyNode(stage)[part].forget();
    await pause(stage, 4000, 10_000);
    reset();
  },
});

/** Enough for what the sockets on the way take in, some 10 MB, beside the 256 events that may wait in the server. */
const BURST = 800;
const LEAST_READERS = 2;
const MOST_READERS = 6;

/** Shorter than a server waits for a sign of life. */
const MOST_STALL_MS = 10_000;

/** Of three bytes each; longer ones are not published whole. */
const INLINE_CHARACTERS = 7800;
const BEYOND_INLINE_CHARACTERS = 9900;

/** Some devices of an inbox stop reading while more comes for them than may wait. */
const stalledReaders: Fault = {
  part: 'readers',
  async strike({ devices, random, senders }) {
    const inboxes = [...new Set(devices.map(({ inbox }) => inbox))];
    const readersOf = inboxes.map((inbox) => devices.filter((device) => device.inbox === inbox));
    const small = readersOf.filter((readers) => readers.length >= LEAST_READERS && readers.length <= MOST_READERS);
    const readers = random.pick(small.length === 0 ? readersOf : small);
    const stalled = random.sample(readers, random.integer(1, readers.length));
    const burst = senders.burst(
      (readers[0] as Device).inbox,
      BURST,
      random.pick([INLINE_CHARACTERS, BEYOND_INLINE_CHARACTERS]),
    );
    const done = burst.then(() => delay(random.between(0, 2000)));
    const until = Promise.race([done, delay(MOST_STALL_MS)]);
    await Promise.all(stalled.map((device) => device.stall(until)));
    await burst;
  },
};

/** Any devices stop reading for a while, under the usual load. */
const pausedReaders: Fault = {
  part: 'readers',
  async strike({ devices, random }) {
    const paused = random.sample(devices, Math.ceil(devices.length * random.between(0.1, 0.5)));
    await Promise.all(paused.map((device) => device.stall(delay(random.between(1000, 6000)))));
  },
};

/** Every kind of fault, by the name it has in the report. */
export const faults = {
  'instance killed': ending('SIGKILL'),
  'instance drained': ending('SIGTERM'),
  'instances restarted in turn': rollingRestart,
  'instance frozen': frozenInstance,
  'Redis killed': killedRedis,
  'Redis frozen': frozenRedis,
  'PostgreSQL restarted fast': restartedPostgres('SIGINT'),
  'PostgreSQL restarted at once': restartedPostgres('SIGQUIT'),
  'client connections cut': cutClients,
  'clients to instance lost': held('clients', 'up'),
  'instance to clients lost': held('clients', 'down'),
  'client connections forgotten': forgotten('clients'),
  'instance to Redis lost': held('redis', 'up'),
  'Redis to instance lost': held('redis', 'down'),
  'Redis connections forgotten': forgotten('redis'),
  'instance to PostgreSQL lost': held('postgres', 'up'),
  'PostgreSQL to instance lost': held('postgres', 'down'),
  'PostgreSQL connections forgotten': forgotten('postgres'),
  'readers overrun': stalledReaders,
  'readers paused': pausedReaders,
} as const satisfies Record<string, Fault>;

export type FaultName = keyof typeof faults;
