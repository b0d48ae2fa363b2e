import type { Inbox, Known } from './population.ts';

/** A send, from the first attempt on. */
export interface Send {
  readonly key: string;
  readonly sender: Inbox;
  readonly recipient: Inbox;
  /** The ids that its acknowledgements named: one, if all is well. */
  readonly ids: Set<string>;
}

export type Act = 'read' | 'unread' | 'delete' | 'recall';

/** What its owner tried to do with one notification, and what was acknowledged. */
export interface Fate {
  tried: Set<Act>;
  acknowledged: Set<Act>;
}

/** What the callers of a run asked for and what they were promised; the verdict holds the table against it. */
export class Ledger {
  readonly sends = new Map<string, Send>();
  readonly fates = new Map<string, Fate>();
  /** Inboxes with an acknowledged markAllRead, and the newest cursor up to which. */
  readonly allRead = new Map<Inbox, string>();
  /** Refusals that no fault explains. */
  readonly surprises = new Map<string, number>();
  mutations = 0;
  mutationsGivenUp = 0;

  begin(key: string, sender: Inbox, recipient: Inbox): Send {
    const send = { key, sender, recipient, ids: new Set<string>() };
    this.sends.set(key, send);
    return send;
  }

  acknowledge(send: Send, known: Known): void {
    if (send.ids.size === 0) send.recipient.known.push(known);
    send.ids.add(known.id);
  }

  fateOf(id: string): Fate {
    const known = this.fates.get(id);
    if (known) return known;
    const fate: Fate = { tried: new Set(), acknowledged: new Set() };
    this.fates.set(id, fate);
    return fate;
  }

  surprise(words: string): void {
    this.surprises.set(words, (this.surprises.get(words) ?? 0) + 1);
  }

  get acknowledged(): number {
    return [...this.sends.values()].filter(({ ids }) => ids.size > 0).length;
  }
}
