import type { Locale } from './locale.ts';

const MINUTE_S = 60;
const HOUR_S = 3600;
const DAY_S = 86_400;
/** From so many days on a date says more than a distance. */
const MOST_DAYS = 7;

/** The browser's own language where it is a variety of the given one: en-GB writes dates in another way than en-US. */
export function formatLocale(locale: Locale): string {
  const own = globalThis.navigator?.language ?? locale;
  if (own.toLowerCase().startsWith(locale)) return own;
  return locale === 'zh' ? 'zh-CN' : 'en';
}

/** Making a formatter takes far longer than formatting, and every row of a list needs some. */
function remembered<Formatter>(make: (locale: string) => Formatter): (locale: string) => Formatter {
  const known = new Map<string, Formatter>();
  return (locale) => {
    let formatter = known.get(locale);
    if (formatter === undefined) {
      formatter = make(locale);
      known.set(locale, formatter);
    }
    return formatter;
  };
}

const relativeFormat = remembered((locale) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto', style: 'short' }));
const DAY_OF_YEAR = { month: 'short', day: 'numeric' } as const;
const dayFormat = remembered((locale) => new Intl.DateTimeFormat(locale, DAY_OF_YEAR));
const dateFormat = remembered((locale) => new Intl.DateTimeFormat(locale, { ...DAY_OF_YEAR, year: 'numeric' }));
const fullFormat = remembered((locale) => new Intl.DateTimeFormat(locale, { dateStyle: 'full', timeStyle: 'short' }));

/** How long ago: "now", "5 min. ago", "yesterday"; after a week the date. A time that is still to come is now. */
export function relativeTime(time: number, now: number, locale: string): string {
  const seconds = Math.max(0, Math.round((now - time) / 1000));
  const relative = relativeFormat(locale);
  if (seconds < MINUTE_S) return relative.format(0, 'second');
  if (seconds < HOUR_S) return relative.format(-Math.floor(seconds / MINUTE_S), 'minute');
  if (seconds < DAY_S) return relative.format(-Math.floor(seconds / HOUR_S), 'hour');
  if (seconds < MOST_DAYS * DAY_S) return relative.format(-Math.floor(seconds / DAY_S), 'day');
  const isThisYear = new Date(time).getFullYear() === new Date(now).getFullYear();
  return (isThisYear ? dayFormat : dateFormat)(locale).format(time);
}

export const fullTime = (time: number, locale: string): string => fullFormat(locale).format(time);
