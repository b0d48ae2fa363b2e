import { useEffect, useState } from 'react';
import { useMessages } from '../state/console.ts';
import { CloseIcon } from '../ui/icons.tsx';
import { preciseTime } from '../ui/time.ts';
import { formatLatency, formatSize, layOut } from './format.ts';
import type { Frame } from './frames.ts';

/** A frame's whole text, laid out, and the way to copy it. */
export function FrameDetail({ frame, onClose }: { frame: Frame; onClose: () => void }) {
  const { log: m } = useMessages();
  const [isCopied, setCopied] = useState(false);
  useEffect(() => setCopied(false), [frame.id]);
  const { direction, type, at, size, latencyMs, since } = frame;
  const latency = latencyMs !== null && since !== null ? `${formatLatency(latencyMs)} ${m.since[since]}` : null;
  const copy = async (): Promise<void> => {
    await navigator.clipboard.writeText(frame.text);
    setCopied(true);
  };
  return (
    <div className="frame-detail">
      <div className="frame-detail-head">
        <div>
          <p className="row-title">{type}</p>
          <p className="quiet">
            {[m.direction[direction], preciseTime(at), formatSize(size), latency].filter(Boolean).join(' · ')}
          </p>
        </div>
        <button type="button" className="small" onClick={() => void copy().catch(() => {})}>
          {isCopied ? m.copied : m.copy}
        </button>
        <button type="button" className="ghost small" aria-label={m.close} onClick={onClose}>
          <CloseIcon />
        </button>
      </div>
      <pre tabIndex={0} role="region" aria-label={m.text}>
        {layOut(frame.text)}
      </pre>
    </div>
  );
}
