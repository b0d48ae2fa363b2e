import type { Pane } from '../state/pane.ts';
import type { ServerInfo } from '../state/server-info.ts';
import type { User } from '../state/session.ts';
import { useMessages } from '../state/console.ts';
import { useStore } from '../state/store.ts';
import { DeskView } from './desk-view.tsx';
import { SignIn } from './sign-in.tsx';

export interface PaneViewProps {
  pane: Pane;
  /** Who is logged in to the other pane. */
  other: User | null;
  demo: ServerInfo['demo'];
}

/** One of the two panes: its user's desk, or the way to log in. */
export function PaneView({ pane, other, demo }: PaneViewProps) {
  const m = useMessages();
  const desk = useStore(pane.desk);
  return (
    <section className="pane" aria-label={m.pane[pane.id]}>
      {desk === null ? (
        <SignIn session={pane.session} demo={demo} />
      ) : (
        <DeskView key={desk.user.id} desk={desk} session={pane.session} paneId={pane.id} other={other} />
      )}
    </section>
  );
}
