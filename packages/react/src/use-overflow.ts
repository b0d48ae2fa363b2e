import { type RefObject, useLayoutEffect, useState } from 'react';

/** Whether a text is cut off, or would be if it were not shown in full. */
export function useOverflow(text: RefObject<HTMLElement | null>, isExpanded: boolean): boolean {
  // What comes back into the page shown in full was cut before: its button must not go away, not even until the text
  // is measured, as focus would go with it.
  const [overflows, setOverflows] = useState(isExpanded);
  useLayoutEffect(() => {
    const element = text.current;
    if (element === null || isExpanded) return;
    // It also looks once right away, after the layout and before anything is painted.
    const observer = new ResizeObserver(() => setOverflows(element.scrollHeight > element.clientHeight + 1));
    observer.observe(element);
    return () => observer.disconnect();
  }, [text, isExpanded]);
  return overflows || isExpanded;
}
