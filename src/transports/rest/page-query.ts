import { z } from 'zod';
import type { Limits } from '../../services/notification-rules.ts';
import { MAX_PAGE_NUMBER } from '../../services/paging.ts';

/** A number of a query; "" is what old callers send for none. */
function wholeNumber(most: number, fallback: number) {
  const message = `must be a whole number from 1 to ${most}`;
  return z.preprocess((text) => {
    if (text === '') return undefined;
    return typeof text === 'string' && /^\d{1,15}$/.test(text) ? Number(text) : text;
  }, z.int(message).min(1, message).max(most, message).default(fallback));
}

/** Which page of a list, by its number. */
export const pageQuery = (limits: Limits) => ({
  page: wholeNumber(MAX_PAGE_NUMBER, 1),
  page_size: wholeNumber(limits.maxPageSize, limits.defaultPageSize),
});
