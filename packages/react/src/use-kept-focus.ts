import { type FocusEvent, type RefObject, useEffect, useRef } from 'react';

export interface KeptFocus {
  readonly onFocus: () => void;
  readonly onBlur: (event: FocusEvent) => void;
}

/**
 * Calls `rescue` when the element that has the focus is taken out of `root`, as when it is deleted: the focus would be
 * lost to the page else. Put what it returns on the root.
 */
export function useKeptFocus(root: RefObject<HTMLElement | null>, rescue: () => void): KeptFocus {
  const isWithin = useRef(false);
  const latest = useRef(rescue);
  useEffect(() => {
    latest.current = rescue;
  }, [rescue]);
  useEffect(() => {
    const observer = new MutationObserver(() => {
      if (isWithin.current && document.activeElement === document.body) latest.current();
    });
    if (root.current) observer.observe(root.current, { childList: true, subtree: true });
    return () => observer.disconnect();
  }, [root]);
  return {
    onFocus: () => (isWithin.current = true),
    // React tells no blur of an element that it takes out itself.
    onBlur: ({ currentTarget, relatedTarget }) => {
      isWithin.current = relatedTarget !== null && currentTarget.contains(relatedTarget);
    },
  };
}
