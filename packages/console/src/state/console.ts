import { createContext, useContext } from 'react';
import { FrameLog, type PaneId } from '../log/frames.ts';
import { en, type Messages } from '../messages/en.ts';
import { zh } from '../messages/zh.ts';
import { RecordingFetch } from '../net/recording-fetch.ts';
import { type Pane, createPane } from './pane.ts';
import { type Preferences, createPreferences } from './preferences.ts';
import { type Store, useStore } from './store.ts';

/** What the page consists of, beside what is shown. */
export interface Console {
  readonly log: FrameLog;
  readonly panes: Readonly<Record<PaneId, Pane>>;
  readonly preferences: Store<Preferences>;
}

/** Call once: from then on every request of the page is recorded. */
export function createConsole(): Console {
  const log = new FrameLog();
  const requests = new RecordingFetch(log);
  requests.install();
  return {
    log,
    panes: { left: createPane('left', log, requests), right: createPane('right', log, requests) },
    preferences: createPreferences(),
  };
}

export const ConsoleContext = createContext<Console | null>(null);

export function useConsole(): Console {
  const found = useContext(ConsoleContext);
  if (!found) throw new Error('There is no ConsoleContext above.');
  return found;
}

export function useMessages(): Messages {
  return useStore(useConsole().preferences).locale === 'zh' ? zh : en;
}
