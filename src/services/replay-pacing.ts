import { asTenant } from '../scope.ts';
import type { InboxAddress } from './caller.ts';
import { reachDatabase } from './database-failure.ts';
import type { Replay, ReplayReader } from './inbox-replay.ts';
import type { Turns } from './turns.ts';

/** What reading the log costs whoever asks for it. */
export interface ReplayPrice {
  /**
   * Reads so many events for the sake of this inbox as soon as they may be read; for one inbox one page after the other. Reads
   * nothing when they are wanted no more.
   */
  pace<T>(
    address: InboxAddress,
    events: number,
    isWanted: () => boolean,
    read: () => Promise<T>,
  ): Promise<T | undefined>;
  /** So many were read without waiting. */
  charge(address: InboxAddress, events: number): void;
}

/**
 * Events of the log that all listeners of a hub together are given in one turn of the event loop: a page. Everything else
 * that the process does waits for some milliseconds, however many of them have been read.
 */
export const EVENTS_PER_TURN = 50;

export interface ReplayPacing {
  readonly turns: Turns;
  /** As fast as the database answers when absent. */
  readonly price: ReplayPrice | undefined;
}

/** The next page of a reader when it may have it, and it is its turn; nothing when it is wanted no more. */
export async function nextPage(
  reader: ReplayReader,
  address: InboxAddress,
  { price, turns }: ReplayPacing,
  isWanted: () => boolean,
): Promise<Replay | undefined> {
  const read = () => reachDatabase(asTenant(address.tenantId, () => reader.next()));
  const isPaidBefore = price !== undefined && reader.toPayFor > 0;
  const replay = isPaidBefore ? await price.pace(address, reader.toPayFor, isWanted, read) : await read();
  if (!replay || replay.events.length === 0) return replay;
  if (!isPaidBefore) price?.charge(address, replay.events.length);
  await turns.take(replay.events.length);
  return replay;
}
