import { type CSSProperties, useEffect, useState } from 'react';
import { useCarillon } from './context.ts';

/** What comes within so short a time is told together. */
const TOGETHER_MS = 400;

/** Here and not in the stylesheet: pages that use the hooks alone need none. */
const UNSEEN: CSSProperties = {
  position: 'absolute',
  inlineSize: 1,
  blockSize: 1,
  margin: -1,
  overflow: 'hidden',
  clipPath: 'inset(50%)',
  whiteSpace: 'nowrap',
};

/** Tells screen readers what arrives. There is one for each provider, so that nothing is told twice. */
export function Announcer() {
  const { inbox, messages, attributes } = useCarillon();
  const [text, setText] = useState('');
  useEffect(() => {
    let titles: string[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    const tell = (): void => {
      const [first = ''] = titles;
      const told = titles.length === 1 ? messages.arrivedOne(first) : messages.arrivedMany(titles.length);
      // The same text again is told only if it differs.
      setText((last) => (last === told ? `${told}\u00a0` : told));
      titles = [];
      timer = undefined;
    };
    const stop = inbox.onAdded(({ title }) => {
      titles.push(title);
      timer ??= setTimeout(tell, TOGETHER_MS);
    });
    return () => {
      stop();
      clearTimeout(timer);
    };
  }, [inbox, messages]);
  return (
    <div role="status" aria-live="polite" lang={attributes.lang} style={UNSEEN}>
      {text}
    </div>
  );
}
