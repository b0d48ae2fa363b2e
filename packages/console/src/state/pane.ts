import { type Inbox, createInbox } from '@carillon/client';
import type { ApolloClient } from '@apollo/client';
import type { FrameLog, Line, PaneId } from '../log/frames.ts';
import { createApollo } from '../net/apollo.ts';
import { LegacyConnection } from '../net/legacy-connection.ts';
import { Receipts } from '../net/receipts.ts';
import type { RecordingFetch } from '../net/recording-fetch.ts';
import { recordingSocket } from '../net/recording-socket.ts';
import { Resume } from '../net/resume.ts';
import { serverUrl } from '../net/server-url.ts';
import { Session, type User } from './session.ts';
import { type Store, createStore } from './store.ts';

/** Everything of the user who is logged in to a pane. */
export interface Desk {
  readonly user: User;
  readonly inbox: Inbox;
  readonly resume: Resume;
  readonly legacy: LegacyConnection;
  readonly apollo: ApolloClient;
  readonly receipts: Receipts;
}

export interface Pane {
  readonly id: PaneId;
  readonly session: Session;
  /** Null while nobody is logged in. */
  readonly desk: Store<Desk | null>;
}

/** A pane, logged in already where the tab remembers it. */
export function createPane(id: PaneId, log: FrameLog, requests: RecordingFetch): Pane {
  const session = new Session(id, requests);
  const desk = createStore<Desk | null>(null);
  let close = (): void => {};
  const follow = (): void => {
    const { user } = session.state.get();
    if (user === (desk.get()?.user ?? null)) return;
    close();
    const opened = user && openDesk(user, session, (line) => recordingSocket(log, id, line));
    close = opened?.close ?? ((): void => {});
    desk.set(opened?.desk ?? null);
  };
  session.state.subscribe(follow);
  follow();
  return { id, session, desk };
}

function openDesk(
  user: User,
  { token }: Session,
  socketOf: (line: Line) => typeof WebSocket,
): { desk: Desk; close: () => void } {
  const inbox = createInbox({ url: serverUrl, token, webSocketImpl: socketOf('graphql') });
  const firstCursor = (): string | null => inbox.getSnapshot().items[0]?.cursor ?? null;
  const legacy = new LegacyConnection({ token, webSocketImpl: socketOf('legacy'), firstCursor });
  const apollo = createApollo(token);
  const receipts = new Receipts({ apollo, token, webSocketImpl: socketOf('receipts') });
  const resume = new Resume();
  inbox.subscribe(() => {
    const { status } = inbox.getSnapshot();
    if (status === 'offline') resume.lost();
    if (status === 'live') resume.live(Date.now());
  });
  inbox.onAdded(({ createdAt }) => resume.added(createdAt));
  const close = (): void => {
    inbox.disconnect();
    legacy.disconnect();
    receipts.stop();
    apollo.stop();
  };
  return { desk: { user, inbox, resume, legacy, apollo, receipts }, close };
}
