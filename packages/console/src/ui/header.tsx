import { useConsole, useMessages } from '../state/console.ts';
import type { Theme } from '../state/preferences.ts';
import { useStore } from '../state/store.ts';
import { Logo } from './icons.tsx';
import { Segmented } from './segmented.tsx';

export type View = 'panes' | 'admin';

export interface HeaderProps {
  view: View;
  /** Null where there is only one view. */
  onView: ((view: View) => void) | null;
  version: string | null;
}

export function Header({ view, onView, version }: HeaderProps) {
  const m = useMessages();
  return (
    <header className="top">
      <div className="brand">
        <Logo />
        <p>
          <strong>Carillon</strong> {version !== null && <span className="version">{version}</span>}
          <span className="tagline">{m.tagline}</span>
        </p>
      </div>
      {onView && (
        <nav aria-label={m.header.nav} className="views">
          {(['panes', 'admin'] as const).map((each) => (
            <button
              key={each}
              type="button"
              aria-current={each === view ? 'page' : undefined}
              onClick={() => onView(each)}
            >
              {m.header[each]}
            </button>
          ))}
        </nav>
      )}
      <div className="top-end">
        <nav aria-label={m.header.links} className="links">
          <a href="./graphql">GraphiQL</a>
          <a href="./api/v1/openapi.json">{m.header.openapi}</a>
        </nav>
        <Preferences />
      </div>
    </header>
  );
}

function Preferences() {
  const { preferences } = useConsole();
  const m = useMessages();
  const { locale, theme } = useStore(preferences);
  const themes = (['auto', 'light', 'dark'] as const).map((each): [Theme, string] => [each, m.header.themes[each]]);
  return (
    <div className="preferences">
      <Segmented
        label={m.header.theme}
        value={theme}
        options={themes}
        onChange={(chosen) => preferences.set({ locale, theme: chosen })}
      />
      <Segmented
        label={m.header.language}
        value={locale}
        options={[
          ['en', 'EN'],
          ['zh', '中文'],
        ]}
        onChange={(chosen) => preferences.set({ locale: chosen, theme })}
      />
    </div>
  );
}
