import { setTimeout as delay } from 'node:timers/promises';
import type { Faults } from './jobs.ts';
import { numberIn, titleOf } from './title.ts';

interface Sent {
  readonly recipient: number;
  readonly atMs: number;
  acknowledged: boolean;
  deliveries: number;
}

const PATIENCE_MS = 5000;
const LOOK_AGAIN_MS = 10;

/** Every send by its number, which travels in its title, and what became of it. */
export class Ledger {
  /** From the send to the delivery, since `restart`. */
  latenciesMs: number[] = [];
  misdirected = 0;
  readonly #sent: Sent[] = [];
  #deliveries = 0;

  /** A title for the next send to a recipient. */
  issue(recipient: number): { number: number; title: string } {
    const number = this.#sent.length;
    this.#sent.push({ recipient, atMs: performance.now(), acknowledged: false, deliveries: 0 });
    return { number, title: titleOf(number) };
  }

  acknowledge(number: number): void {
    this.#sent[number]!.acknowledged = true;
  }

  /** Reads what a recipient's device was given. */
  deliver(recipient: number, frame: Buffer): void {
    const number = numberIn(frame);
    // It was sent to see whether somebody hears.
    if (number === undefined) return;
    const sent = this.#sent[number];
    if (sent?.recipient !== recipient) {
      this.misdirected += 1;
      return;
    }
    sent.deliveries += 1;
    this.#deliveries += 1;
    this.latenciesMs.push(performance.now() - sent.atMs);
  }

  get deliveries(): number {
    return this.#deliveries;
  }

  restart(): void {
    this.latenciesMs = [];
  }

  /** Waits until nothing is missing, or nothing has come for five seconds. */
  async settle(): Promise<void> {
    let seen = this.#deliveries;
    for (let quietMs = 0; quietMs < PATIENCE_MS && this.#missing() > 0; quietMs += LOOK_AGAIN_MS) {
      await delay(LOOK_AGAIN_MS);
      if (this.#deliveries !== seen) quietMs = 0;
      seen = this.#deliveries;
    }
  }

  #missing(): number {
    return this.#sent.filter(({ acknowledged, deliveries }) => acknowledged && deliveries === 0).length;
  }

  faults(): Pick<Faults, 'lost' | 'duplicated' | 'misdirected'> {
    return {
      lost: this.#missing(),
      duplicated: this.#sent.reduce((total, { deliveries }) => total + Math.max(0, deliveries - 1), 0),
      misdirected: this.misdirected,
    };
  }
}
