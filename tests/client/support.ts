import { type Inbox, type InboxOptions, type InboxSnapshot, createInbox } from '../../packages/client/src/index.ts';

/** An inbox that a test connects; disposing ends its connection. */
export interface TestInbox extends Inbox, Disposable {
  /** Resolves with the first snapshot of which this holds, now or later. */
  until(holds: (snapshot: InboxSnapshot) => boolean): Promise<InboxSnapshot>;
  titles(): string[];
}

export function openInbox(options: InboxOptions): TestInbox {
  const inbox = createInbox(options);
  return Object.assign(inbox, {
    until: (holds: (snapshot: InboxSnapshot) => boolean) =>
      new Promise<InboxSnapshot>((resolve) => {
        const look = (): void => {
          const snapshot = inbox.getSnapshot();
          if (!holds(snapshot)) return;
          stop();
          resolve(snapshot);
        };
        const stop = inbox.subscribe(look);
        look();
      }),
    titles: () => inbox.getSnapshot().items.map(({ title }) => title),
    [Symbol.dispose]: () => inbox.disconnect(),
  });
}

/** An inbox that is connected and has its first page. */
export async function connectInbox(options: InboxOptions): Promise<TestInbox> {
  const inbox = openInbox(options);
  inbox.connect();
  await inbox.until(({ status, isLoading }) => status === 'live' && !isLoading);
  return inbox;
}
