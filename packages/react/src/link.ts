/**
 * Where a link leads, when it is safe to follow: an http or https address, or a path of this site. Null for everything
 * else, such as `javascript:`, `data:`, or `//host`, which only looks like a path.
 */
export function safeLink(link: string | null): string | null {
  if (link === null) return null;
  // Browsers take a backslash for a slash, and drop tabs and line ends.
  if (/^\/(?![/\\])/.test(link) && !/[\t\n\r]/.test(link)) return link;
  if (!/^https?:\/\//i.test(link)) return null;
  return URL.canParse(link) ? link : null;
}

/** Whether a safe link leaves this site, and so opens a tab of its own. */
export const isForeign = (link: string): boolean => new URL(link, location.href).origin !== location.origin;
