import type { KeyboardEvent } from 'react';

export interface TabsProps<T extends string> {
  id: string;
  label: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange: (value: T) => void;
}

/** Tabs by the pattern of the ARIA guide: arrow keys choose. The panel has the id `<id>-panel`. */
export function Tabs<T extends string>({ id, label, value, options, onChange }: TabsProps<T>) {
  const onKeyDown = (event: KeyboardEvent<HTMLDivElement>): void => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step === undefined) return;
    const at = options.findIndex(([each]) => each === value);
    const [next] = options[(at + step + options.length) % options.length] as readonly [T, string];
    onChange(next);
    document.getElementById(`${id}-${next}`)?.focus();
    event.preventDefault();
  };
  return (
    <div className="tabs" role="tablist" aria-label={label} tabIndex={-1} onKeyDown={onKeyDown}>
      {options.map(([each, text]) => (
        <button
          key={each}
          id={`${id}-${each}`}
          type="button"
          role="tab"
          aria-selected={each === value}
          aria-controls={`${id}-panel`}
          tabIndex={each === value ? 0 : -1}
          onClick={() => onChange(each)}
        >
          {text}
        </button>
      ))}
    </div>
  );
}
