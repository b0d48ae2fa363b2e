import { type Store, createStore } from './store.ts';

export type Locale = 'en' | 'zh';
export type Theme = 'auto' | 'light' | 'dark';

export interface Preferences {
  readonly locale: Locale;
  readonly theme: Theme;
}

const KEY = 'carillon.preferences';

/** Language and theme, remembered by the browser. The first language is the one that the browser asks for. */
export function createPreferences(): Store<Preferences> {
  const store = createStore(remembered());
  const apply = (): void => {
    const { locale, theme } = store.get();
    document.documentElement.lang = locale === 'zh' ? 'zh-CN' : 'en';
    document.documentElement.dataset['theme'] = theme;
  };
  store.subscribe(() => {
    apply();
    try {
      localStorage.setItem(KEY, JSON.stringify(store.get()));
    } catch {
      // Where nothing can be stored, the choice holds for this page.
    }
  });
  apply();
  return store;
}

function remembered(): Preferences {
  let stored: Partial<Preferences> = {};
  try {
    stored = JSON.parse(localStorage.getItem(KEY) ?? '{}') as Partial<Preferences>;
  } catch {
    // What cannot be read is as good as nothing.
  }
  const spoken: Locale = navigator.language.startsWith('zh') ? 'zh' : 'en';
  const locale = stored.locale === 'en' || stored.locale === 'zh' ? stored.locale : spoken;
  const theme = stored.theme === 'light' || stored.theme === 'dark' ? stored.theme : 'auto';
  return { locale, theme };
}
