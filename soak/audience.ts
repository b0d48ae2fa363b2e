import { setTimeout as delay } from 'node:timers/promises';
import { Device } from '../torture/device.ts';
import { DeviceFold } from '../torture/device-fold.ts';
import { dials } from '../torture/dials.ts';
import { type DoorKind, type Inbox, placeDevices } from '../torture/population.ts';
import type { Random } from '../torture/random.ts';
import type { StoredInbox } from '../torture/table.ts';
import { judgeEnd } from '../torture/verdict-device.ts';
import type { Verdict } from '../torture/verdict.ts';
import type { Arrivals } from './arrivals.ts';

export interface AudienceOptions {
  inboxes: readonly Inbox[];
  clients: number;
  urls: readonly string[];
  random: Random;
  verdict: Verdict;
  arrivals: Arrivals;
}

const LEAST_STAY_MS = 3000;
const MOST_STAY_MS = 60_000;
const MOST_AWAY_MS = 10_000;
const MOST_STALL_MS = 8000;

/** Of the visits, how many stop reading for a while. */
const SLOW = 0.2;

/** Additions that a device which is told of nothing else keeps: more than an inbox ever holds. */
const MOST_KEPT = 20_000;

/**
 * Devices that listen to inboxes. One of each inbox stays; the others come, go, come back with their cursor, and read
 * slowly at times. Each event is judged when it comes and then forgotten, so that a run may be long.
 */
export class Audience {
  readonly #listeners: readonly Listener[];
  readonly #random: Random;

  constructor({ inboxes, clients, urls, random, verdict, arrivals }: AudienceOptions) {
    this.#random = random;
    const listen = (name: string, inbox: Inbox, kind: DoorKind, isWitness: boolean): Listener => {
      const device = new Device({ name, inbox, kind, dial: dials[kind], urls, random: random.fork() });
      return new Listener(device, verdict, isWitness ? arrivals : undefined);
    };
    this.#listeners = [
      ...inboxes.map((inbox) => listen(`witness of ${inbox.name}`, inbox, 'changes', true)),
      ...placeDevices(inboxes, clients, random).map(({ inbox, kind }, at) =>
        listen(`device-${at}`, inbox, kind, false),
      ),
    ];
  }

  /** Until the signal. All are there from `settled` on. */
  async run(signal: AbortSignal, settled: AbortSignal): Promise<void> {
    await Promise.all(
      this.#listeners.map(async ({ device, isWitness }) => {
        if (!isWitness) while (!settled.aborted) await this.#visit(device, settled);
        await device.run(signal);
      }),
    );
  }

  async #visit(device: Device, settled: AbortSignal): Promise<void> {
    const random = this.#random;
    const stay = AbortSignal.timeout(Math.round(random.between(LEAST_STAY_MS, MOST_STAY_MS)));
    const visiting = device.run(AbortSignal.any([settled, stay]));
    if (random.chance(SLOW)) {
      const pause = delay(random.between(0, MOST_STALL_MS), undefined, { signal: settled }).catch(() => {});
      await device.stall(pause);
    }
    await visiting;
    await delay(random.between(0, MOST_AWAY_MS), undefined, { signal: settled }).catch(() => {});
  }

  get connections(): number {
    return this.#sum(({ device }) => device.connections);
  }

  get resumes(): number {
    return this.#sum(({ device }) => device.resumes);
  }

  get deliveries(): number {
    return this.#sum(({ count }) => count);
  }

  /** What those that never go were told when their connections ended all the same. */
  get cutOff(): Map<string, number> {
    const all = new Map<string, number>();
    for (const { device, isWitness } of this.#listeners) {
      if (!isWitness) continue;
      for (const [reason, count] of device.endings) all.set(reason, (all.get(reason) ?? 0) + count);
    }
    return all;
  }

  /** Holds what each device has against what is stored. */
  judge(findings: Pick<Verdict, 'add'>, inboxes: ReadonlyMap<string, StoredInbox>): void {
    for (const { device, fold } of this.#listeners) {
      const inbox = inboxes.get(device.inbox.name);
      if (inbox) judgeEnd(findings, device, inbox, fold);
    }
  }

  #sum(count: (listener: Listener) => number): number {
    return this.#listeners.reduce((total, listener) => total + count(listener), 0);
  }
}

class Listener {
  readonly device: Device;
  readonly fold: DeviceFold;
  readonly isWitness: boolean;
  count = 0;

  constructor(device: Device, verdict: Verdict, arrivals: Arrivals | undefined) {
    this.device = device;
    this.isWitness = arrivals !== undefined;
    this.fold = new DeviceFold(verdict, { label: `${device.name} (${device.kind})`, kind: device.kind });
    device.onTaken = () => {
      for (const event of device.taken.splice(0)) {
        if (event.kind === 'added') for (const id of event.ids) arrivals?.arrive(id);
        this.fold.take(event);
        this.count += 1;
      }
      if (device.kind === 'additions') this.#forgetOldest();
    };
  }

  #forgetOldest(): void {
    const { notifications } = this.fold;
    for (const id of notifications.keys()) {
      if (notifications.size <= MOST_KEPT) return;
      notifications.delete(id);
    }
  }
}
