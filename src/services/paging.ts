import type { Config } from '../config.ts';
import { badInput } from '../errors.ts';

/** Relay's paging arguments over a list that is newest first: `after` goes to older ones. */
export interface Paging {
  first?: number | null | undefined;
  after?: string | null | undefined;
  last?: number | null | undefined;
  before?: string | null | undefined;
}

export type PageLimits = Pick<Config, 'defaultPageSize' | 'maxPageSize'>;

/** Page numbers beyond this are nobody's; the position of the first row must stay a safe number. */
export const MAX_PAGE_NUMBER = 1_000_000;

/** @throws CarillonError BAD_USER_INPUT for a size beyond the limits, or for two of them. */
export function relaySize({ first, last }: Paging, limits: PageLimits): { backward: boolean; size: number } {
  const { defaultPageSize, maxPageSize } = limits;
  if (first != null && last != null) throw badInput('last', 'first and last exclude each other.');
  const field = last == null ? 'first' : 'last';
  const size = first ?? last ?? defaultPageSize;
  if (size < 1 || size > maxPageSize) throw badInput(field, `${field} must be from 1 to ${maxPageSize}.`);
  return { backward: last != null, size };
}

/** @throws CarillonError BAD_USER_INPUT for a number or a size of a page that there cannot be. */
export function mustBePage(page: number, pageSize: number, { maxPageSize }: PageLimits): void {
  if (!Number.isInteger(page) || page < 1 || page > MAX_PAGE_NUMBER) {
    throw badInput('page', `page must be a whole number from 1 to ${MAX_PAGE_NUMBER}.`);
  }
  if (!Number.isInteger(pageSize) || pageSize < 1 || pageSize > maxPageSize) {
    throw badInput('pageSize', `page_size must be a whole number from 1 to ${maxPageSize}.`);
  }
}
