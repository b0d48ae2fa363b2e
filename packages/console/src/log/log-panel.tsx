import { useMemo, useState } from 'react';
import { useConsole, useMessages } from '../state/console.ts';
import { useStore } from '../state/store.ts';
import { everything, filterFrames } from './filter.ts';
import { FrameDetail } from './frame-detail.tsx';
import { FrameList } from './frame-list.tsx';
import { LogTools } from './log-tools.tsx';

/** Every frame and request of the page, as it goes by. */
export function LogPanel() {
  const { log } = useConsole();
  const { log: m } = useMessages();
  const { frames, isPaused, missed } = useStore(log);
  const [filter, setFilter] = useState(everything);
  const [chosenId, setChosen] = useState<number | null>(null);
  const shown = useMemo(() => filterFrames(frames, filter), [frames, filter]);
  const chosen = frames.find(({ id }) => id === chosenId) ?? null;
  return (
    <section className="log" aria-labelledby="log-title">
      <div className="log-head">
        <div>
          <h2 id="log-title">{m.title}</h2>
          <p className="quiet">{isPaused && missed > 0 ? m.missed(missed) : m.lead}</p>
        </div>
        <p className="quiet count">{m.count(shown.length, frames.length)}</p>
        <LogTools
          filter={filter}
          onFilter={setFilter}
          isPaused={isPaused}
          onPause={() => log.pause(!isPaused)}
          onClear={() => log.clear()}
        />
      </div>
      <div className={chosen ? 'log-body with-detail' : 'log-body'}>
        {shown.length === 0 ? (
          <p className="empty">{frames.length === 0 ? m.empty : m.nothing}</p>
        ) : (
          <FrameList frames={shown} chosenId={chosenId} onChoose={setChosen} />
        )}
        {chosen && <FrameDetail frame={chosen} onClose={() => setChosen(null)} />}
      </div>
    </section>
  );
}
