import { CarillonProvider, Inbox } from '@carillon/react';
import { useMemo, useState } from 'react';
import type { PaneId } from '../log/frames.ts';
import { useConsole, useMessages } from '../state/console.ts';
import type { Desk } from '../state/pane.ts';
import type { Session, User } from '../state/session.ts';
import { useStore } from '../state/store.ts';
import { Tabs } from '../ui/tabs.tsx';
import { Connections } from './connections.tsx';
import { DeskHeader } from './desk-header.tsx';
import { ScheduledPanel } from './scheduled-panel.tsx';
import { SendForm } from './send-form.tsx';
import { SentPanel } from './sent-panel.tsx';

export interface DeskViewProps {
  desk: Desk;
  session: Session;
  paneId: PaneId;
  other: User | null;
}

type Tab = 'inbox' | 'sent' | 'scheduled';

/** What a logged-in user has: connections, a form to send with, the inbox, and what was sent. */
export function DeskView({ desk, session, paneId, other }: DeskViewProps) {
  const m = useMessages();
  const { locale, theme } = useStore(useConsole().preferences);
  const [tab, setTab] = useState<Tab>('inbox');
  const tabs = (['inbox', 'sent', 'scheduled'] as const).map((each): [Tab, string] => [each, m.tabs[each]]);
  // Two inboxes on one page need two names.
  const messages = useMemo(() => ({ title: m.inbox[paneId], emptyText: m.inbox.next }), [m, paneId]);
  const panel = `desk-${paneId}`;
  return (
    <CarillonProvider inbox={desk.inbox} locale={locale} theme={theme} messages={messages}>
      <DeskHeader user={desk.user} onLogout={() => void session.logout()} />
      <Connections desk={desk} />
      <SendForm desk={desk} other={other} />
      <Tabs id={panel} label={m.tabs.label} value={tab} options={tabs} onChange={setTab} />
      <div className="panel" id={`${panel}-panel`} role="tabpanel" aria-labelledby={`${panel}-${tab}`}>
        {tab === 'inbox' && <Inbox />}
        {tab === 'sent' && <SentPanel desk={desk} />}
        {tab === 'scheduled' && <ScheduledPanel desk={desk} />}
      </div>
    </CarillonProvider>
  );
}
