import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BrowserContextOptions, Locator, Page } from 'playwright-core';
import { type Link, openLink } from '../../torture/proxy.ts';
import { type Person, type TestApp, startApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import { launchBrowser } from '../support/browser.ts';
import { FIXTURE, buildSite, serveSite } from './site.ts';

/** How long anything that a page should show may take. */
const PATIENCE_MS = 45_000;

export interface View {
  /** What the fixture shows: `bell`, `rename`, `inbox`, `custom` or `hooks`. */
  view?: string;
  locale?: 'en' | 'zh';
  theme?: 'light' | 'dark';
  /** Any of the fixture's switches. */
  switches?: readonly ('strict' | 'select' | 'words' | 'handed' | 'text')[];
  /** Over the link, which can be cut. */
  isLinked?: boolean;
  context?: BrowserContextOptions;
}

export interface Shown {
  readonly page: Page;
  readonly bell: Locator;
  readonly items: Locator;
  /** Resolves when an expression holds in the page, now or later. */
  readonly until: (expression: string) => Promise<unknown>;
  /** Uncaught errors, what React complains of, and what the page's policy refused. */
  readonly complaints: readonly string[];
}

/** The fixture in a browser, beside a real server. */
export interface Stage extends AsyncDisposable {
  readonly app: TestApp;
  /** Between the pages that ask for it and the server. */
  readonly link: Link;
  /** Opens the fixture in a browser session of its own, as this person. */
  show(person: Person, view?: View): Promise<Shown>;
  /** Ends the sessions that are open. */
  clear(): Promise<void>;
}

export async function openStage(): Promise<Stage> {
  await using resources = new AsyncDisposableStack();
  const directory = await mkdtemp(join(tmpdir(), 'carillon-react-'));
  resources.defer(() => rm(directory, { recursive: true, force: true }));
  await buildSite({ root: FIXTURE, outDir: directory, isFromSource: true, isDevelopment: true });
  const site = resources.use(await serveSite(directory));
  const app = resources.use(await startApp({ env: { ALLOWED_ORIGINS: site.origin, RATE_LIMITS: 'off' } }));
  const link = resources.use(await openLink(Number(new URL(app.url).port)));
  const browser = await launchBrowser();
  resources.defer(() => browser.close());
  const owned = resources.move();
  return {
    app,
    link,
    async show(person, { view = 'bell', locale, theme, switches = [], isLinked = false, context: options } = {}) {
      const context = await browser.newContext({ viewport: { width: 1000, height: 760 }, ...options });
      context.setDefaultTimeout(PATIENCE_MS);
      const page = await context.newPage();
      const complaints: string[] = [];
      page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
      page.on('console', (message) => {
        const isNetwork = /Failed to load resource|WebSocket connection/.test(message.text());
        if (message.type() === 'error' && !isNetwork) complaints.push(message.text());
      });
      const asked = new URLSearchParams({
        view,
        server: isLinked ? `http://127.0.0.1:${link.port}` : app.url,
        token: person.token,
        ...(locale ? { locale } : {}),
        ...(theme ? { theme } : {}),
        ...Object.fromEntries(switches.map((name) => [name, ''])),
      });
      await page.goto(`${site.origin}/?${asked.toString()}`);
      return {
        page,
        bell: page.locator('.carillon-bell-button'),
        items: page.getByRole('feed').getByRole('article'),
        // Playwright's own way evaluates within the page, which its policy forbids.
        until: (expression) => eventually(() => page.evaluate<boolean>(expression), PATIENCE_MS),
        complaints,
      };
    },
    async clear() {
      for (const context of browser.contexts()) await context.close();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
