/**
 * The console: what a browser sees at the root. Its sources are in `packages/console`; `npm run build` makes the files
 * that are served here, and `npm ci` and `npm start` see to it that they are up to date.
 */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import sirv, { type RequestHandler } from 'sirv';

/** What the console asks for at `/console.json`. */
export interface ConsoleInfo {
  readonly version: string;
  /** Accounts that everybody may log in with; null outside the demo mode. */
  readonly demo: DemoAccounts | null;
}

export interface DemoAccounts {
  readonly tenant: string;
  readonly password: string;
  readonly users: readonly { readonly username: string; readonly roles: readonly string[] }[];
}

const BUILT = fileURLToPath(new URL('../../packages/console/dist/', import.meta.url));

/** Everything comes from this server, and the page is nobody's frame. */
const PAGE_HEADERS = {
  'Content-Security-Policy': [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; '),
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Opener-Policy': 'same-origin',
  // Names the files of its assets, which a new version may have replaced.
  'Cache-Control': 'no-cache',
};

/** Their names have a hash of what is in them. */
const ASSET_HEADERS = { 'Cache-Control': 'public, max-age=31536000, immutable' };

/** Serves the built console, compressed where the browser takes it; null where it has not been built. */
export function createConsole(directory = BUILT): RequestHandler | null {
  if (!existsSync(directory)) return null;
  return sirv(directory, {
    etag: true,
    gzip: true,
    brotli: true,
    setHeaders(response, path) {
      const headers = path.startsWith('/assets/') ? ASSET_HEADERS : PAGE_HEADERS;
      for (const [name, value] of Object.entries(headers)) response.setHeader(name, value);
    },
  });
}
