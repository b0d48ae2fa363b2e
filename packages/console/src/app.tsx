import { Suspense, lazy, useState } from 'react';
import { Header, type View } from './ui/header.tsx';
import { Intro } from './ui/intro.tsx';
import { LogPanel } from './log/log-panel.tsx';
import { PaneView } from './pane/pane-view.tsx';
import type { Desk } from './state/pane.ts';
import { useConsole, useMessages } from './state/console.ts';
import type { ServerInfo } from './state/server-info.ts';
import { useStore } from './state/store.ts';

const AdminView = lazy(async () => ({ default: (await import('./admin/admin-view.tsx')).AdminView }));

export function App({ info }: { info: ServerInfo | null }) {
  const { panes } = useConsole();
  const m = useMessages();
  const left = useStore(panes.left.desk);
  const right = useStore(panes.right.desk);
  const [chosen, setView] = useState<View>('panes');
  const admin = [left, right].find(isAdmin) ?? null;
  const view = admin ? chosen : 'panes';
  const isAnybodyIn = left !== null || right !== null;
  return (
    <>
      <a className="skip" href="#main">
        {m.skip}
      </a>
      <Header view={view} onView={admin && setView} version={info?.version ?? null} />
      <main id="main" tabIndex={-1}>
        {isAnybodyIn ? (
          view === 'panes' && <h1 className="sr-only">{m.header.panes}</h1>
        ) : (
          <Intro demo={info?.demo ?? null} />
        )}
        {view === 'admin' && admin && (
          <Suspense fallback={<p className="quiet">{m.admin.loading}</p>}>
            <AdminView desk={admin} key={admin.user.id} />
          </Suspense>
        )}
        {/* Hidden and not gone: an inbox is connected for as long as it is on the page. */}
        <div className="panes" hidden={view === 'admin'}>
          <PaneView pane={panes.left} other={right?.user ?? null} demo={info?.demo ?? null} />
          <PaneView pane={panes.right} other={left?.user ?? null} demo={info?.demo ?? null} />
        </div>
        <LogPanel />
      </main>
    </>
  );
}

const isAdmin = (desk: Desk | null): desk is Desk => desk?.user.roles.includes('admin') ?? false;
