import type { Taken } from './device.ts';
import { BEGINNING, type DoorKind } from './population.ts';
import type { Verdict } from './verdict.ts';

/** Takes findings. */
export type Findings = Pick<Verdict, 'add'>;

const EPOCH_LENGTH = 11;

export const epochOf = (cursor: string): string => cursor.slice(0, EPOCH_LENGTH);
export const versionOf = (cursor: string): number => Number.parseInt(cursor.slice(EPOCH_LENGTH), 36);

/**
 * What a device has of its inbox, folded from its events one after the other. Holds each of them against the promise of
 * its door: positions only grow, nothing comes twice, and each event follows the one before.
 */
export class DeviceFold {
  /** Whether each notification is read, by its id. */
  readonly notifications = new Map<string, boolean>();
  /** What it was last told of unread ones. */
  unread: number | undefined;
  readonly #findings: Findings;
  readonly #label: string;
  readonly #kind: DoorKind;
  #held = BEGINNING;
  #count = 0;

  constructor(findings: Findings, { label, kind }: { label: string; kind: DoorKind }) {
    this.#findings = findings;
    this.#label = label;
    this.#kind = kind;
  }

  /** The cursor of the last event that had one. */
  get cursor(): string {
    return this.#held;
  }

  take(event: Taken): void {
    this.#judgeOrder(event);
    this.#apply(event);
    this.unread = event.unread ?? this.unread;
    this.#count += 1;
  }

  #judgeOrder({ cursor, previousCursor, kind: what }: Taken): void {
    if (cursor === undefined) return;
    const version = versionOf(cursor);
    const held = versionOf(this.#held);
    const late = (words: string): void =>
      this.#findings.add('reordered', `${this.#place} (${what} at ${version}, after ${held}): ${words}`);
    if (this.#held !== BEGINNING && epochOf(cursor) !== epochOf(this.#held)) late('its cursor is of another inbox');
    if (version <= held) late('it came late, or once more');
    const isChained = this.#kind === 'changes' || this.#kind === 'event-stream';
    if (isChained && !this.#follows(previousCursor, epochOf(cursor))) {
      late(`its previous cursor is ${previousCursor === undefined ? 'none' : versionOf(previousCursor)}`);
    }
    this.#held = cursor;
  }

  get #place(): string {
    return `${this.#label}, event ${this.#count}`;
  }

  /** Who holds the beginning holds position 0 of whatever inbox. */
  #follows(previous: string | undefined, epoch: string): boolean {
    return previous === this.#held || (this.#held === BEGINNING && previous === `${epoch}0`);
  }

  #apply({ kind, ids, isRead = false }: Taken): void {
    const [id = ''] = ids;
    switch (kind) {
      case 'welcome':
        return;
      case 'reset':
        this.#findings.add('lost', `${this.#place}: a reset, although the inbox was never lost`);
        return;
      case 'added':
        if (this.notifications.has(id)) this.#findings.add('duplicated', `${this.#place}: ${id} was added before`);
        this.notifications.set(id, isRead);
        return;
      case 'updated':
      case 'read':
        for (const each of ids) {
          if (!this.notifications.has(each)) {
            this.#findings.add('lost', `${this.#place}: ${kind} of ${each}, which was never added`);
          }
          this.notifications.set(each, kind === 'read' || isRead);
        }
        return;
      case 'deleted':
        for (const each of ids) this.notifications.delete(each);
    }
  }
}
