import { useMessages } from '../state/console.ts';
import type { Filter } from './filter.ts';

export interface LogToolsProps {
  filter: Filter;
  onFilter: (filter: Filter) => void;
  isPaused: boolean;
  onPause: () => void;
  onClear: () => void;
}

const PANES = ['left', 'right'] as const;
const LINES = ['graphql', 'receipts', 'legacy', 'http'] as const;

export function LogTools({ filter, onFilter, isPaused, onPause, onClear }: LogToolsProps) {
  const { log: m } = useMessages();
  return (
    <div className="log-tools">
      <select
        aria-label={m.pane}
        value={filter.pane}
        onChange={({ target }) => onFilter({ ...filter, pane: target.value as Filter['pane'] })}
      >
        <option value="all">{`${m.pane}: ${m.all}`}</option>
        {PANES.map((pane) => (
          <option key={pane} value={pane}>
            {m.panes[pane]}
          </option>
        ))}
      </select>
      <select
        aria-label={m.line}
        value={filter.line}
        onChange={({ target }) => onFilter({ ...filter, line: target.value as Filter['line'] })}
      >
        <option value="all">{`${m.line}: ${m.all}`}</option>
        {LINES.map((line) => (
          <option key={line} value={line}>
            {m.lines[line]}
          </option>
        ))}
      </select>
      <input
        type="search"
        aria-label={m.filter}
        placeholder={`${m.filter}: ${m.filterHint}`}
        value={filter.text}
        onChange={({ target }) => onFilter({ ...filter, text: target.value })}
      />
      <button type="button" className="small" aria-pressed={isPaused} onClick={onPause}>
        {isPaused ? m.resume : m.pause}
      </button>
      <button type="button" className="small" onClick={onClear}>
        {m.clear}
      </button>
    </div>
  );
}
