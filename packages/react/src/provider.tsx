import { type Inbox, type TokenSource, createInbox } from '@carillon/client';
import { type ReactNode, useLayoutEffect, useMemo, useRef } from 'react';
import { Announcer } from './announcer.tsx';
import { createChanges } from './changes.ts';
import { type Carillon, CarillonContext } from './context.ts';
import type { Locale } from './locale.ts';
import { type Messages, en, zh } from './messages.ts';
import { formatLocale } from './time.ts';

export type Theme = 'auto' | 'light' | 'dark';

interface Options {
  /** Notifications of the first page, 1 to 100; 20 when absent. */
  pageSize?: number;
  /** Of the components' own texts; that of the browser when absent. */
  locale?: Locale;
  /** `auto`, the default, follows the system, or the nearest `data-carillon-theme`. */
  theme?: Theme;
  /** Texts in place of those of the locale. */
  messages?: Partial<Messages>;
  children?: ReactNode;
}

/** Where the inbox is and whose, or an inbox made with `createInbox`. */
export type CarillonProviderProps = Options &
  (
    | {
        /** Where Carillon is; the page's own origin when absent. */
        url?: string;
        /** Another text is another user; a function may be a new one each time and is then asked from now on. */
        token: TokenSource;
        inbox?: undefined;
      }
    | { inbox: Inbox; url?: undefined; token?: undefined }
  );

/** Connects one user's inbox for as long as it is mounted, and hands it to everything within. */
export function CarillonProvider({ children, locale: asked, theme = 'auto', ...props }: CarillonProviderProps) {
  const inbox = useProvidedInbox(props);
  const locale = asked ?? (globalThis.navigator?.language.toLowerCase().startsWith('zh') ? 'zh' : 'en');
  const changes = useMemo(() => createChanges(inbox), [inbox]);
  const carillon = useMemo<Carillon>(
    () => ({
      inbox,
      changes,
      messages: { ...(locale === 'zh' ? zh : en), ...props.messages },
      formatLocale: formatLocale(locale),
      attributes: { lang: locale === 'zh' ? 'zh-CN' : 'en', 'data-carillon-theme': theme },
    }),
    [inbox, changes, locale, theme, props.messages],
  );
  // Before the first paint, so that no empty inbox is shown where one is on its way.
  useLayoutEffect(() => {
    inbox.connect();
    return () => inbox.disconnect();
  }, [inbox]);
  return (
    <CarillonContext value={carillon}>
      {children}
      <Announcer />
    </CarillonContext>
  );
}

function useProvidedInbox({
  inbox,
  url,
  token,
  pageSize,
}: Pick<CarillonProviderProps, 'inbox' | 'url' | 'token' | 'pageSize'>): Inbox {
  const latest = useRef(token);
  useLayoutEffect(() => {
    latest.current = token;
  }, [token]);
  const text = typeof token === 'string' ? token : null;
  return useMemo(() => {
    if (inbox) return inbox;
    const ask: TokenSource = (context) => {
      const source = latest.current;
      return typeof source === 'function' ? source(context) : (source ?? '');
    };
    return createInbox({
      token: text ?? ask,
      ...(url === undefined ? {} : { url }),
      ...(pageSize === undefined ? {} : { pageSize }),
    });
  }, [inbox, url, text, pageSize]);
}
