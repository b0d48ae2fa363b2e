import type { ConnectionStatus } from '@carillon/client';
import { useMessages } from '../state/console.ts';
import type { Resumed } from '../net/resume.ts';
import { useSecondsUntil } from './use-seconds-until.ts';

export interface LineStateProps {
  name: string;
  status: ConnectionStatus;
  retryAt: number | null;
  resumed: Resumed | null;
  detail?: string | undefined;
  onConnect: () => void;
  onDisconnect: () => void;
  /** Absent where the socket knows no ping of its own. */
  onPing?: () => void;
}

/** One socket: its state in words and by a mark, and what can be done with it. */
export function LineState(props: LineStateProps) {
  const { name, status, retryAt, resumed, detail, onConnect, onDisconnect, onPing } = props;
  const { lines: m } = useMessages();
  const seconds = useSecondsUntil(retryAt);
  const more = [detail, status === 'live' && resumed ? m.resumed(resumed.caughtUp) : undefined].filter(Boolean);
  return (
    <div className="line" role="group" aria-label={name}>
      <span className={`mark ${status}`} aria-hidden="true" />
      <p className="line-text">
        <span className="line-name">{name}</span>
        <span role="status">
          <span className="line-status">{m.status[status]}</span>
          {more.length > 0 && <span className="quiet"> · {more.join(' · ')}</span>}
        </span>
        {/* Not read out: it changes every second. */}
        {seconds !== null && <span className="quiet"> {m.retryIn(seconds)}</span>}
      </p>
      <span className="line-actions">
        {status === 'live' && onPing && (
          <button type="button" className="ghost small" onClick={onPing}>
            {m.ping}
          </button>
        )}
        {status === 'offline' && (
          <button type="button" className="ghost small" onClick={onConnect}>
            {m.retry}
          </button>
        )}
        {status === 'idle' ? (
          <button type="button" className="small" onClick={onConnect}>
            {m.connect}
          </button>
        ) : (
          <button type="button" className="small" onClick={onDisconnect}>
            {m.disconnect}
          </button>
        )}
      </span>
    </div>
  );
}
