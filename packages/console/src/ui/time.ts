import type { Locale } from '../state/preferences.ts';

const tag = (locale: Locale): string => (locale === 'zh' ? 'zh-CN' : 'en-GB');

/** Date and time of day, short, in the zone of the browser. */
export function dateTime(at: string | number, locale: Locale): string {
  return new Intl.DateTimeFormat(tag(locale), { dateStyle: 'medium', timeStyle: 'short' }).format(new Date(at));
}

export function timeOfDay(at: string | number, locale: Locale): string {
  return new Intl.DateTimeFormat(tag(locale), { timeStyle: 'medium' }).format(new Date(at));
}

/** `12:00:05.123`, in the zone of the browser. */
export function preciseTime(at: number): string {
  const date = new Date(at);
  const two = (value: number): string => String(value).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
