import { type Browser, type BrowserContextOptions, type Locator, type Page, chromium } from 'playwright-core';
import { type Person, type TestApp, type TestAppOptions, startApp } from '../support/app.ts';
import { asEveryTenant } from '../../src/scope.ts';

export const PASSWORD = 'carillon-demo';

export const demo = {
  tenant: 'demo',
  password: PASSWORD,
  users: [
    { username: 'ada', roles: ['admin'] },
    { username: 'sam', roles: ['sender'] },
    { username: 'uma', roles: [] },
  ],
};

const CHROMIUM_ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  // Nothing but this machine has a name: a page that needs something from elsewhere breaks here.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost',
];

export type Side = 'left' | 'right';

/** The console in a tab of a browser of its own. */
export interface ConsolePage {
  readonly page: Page;
  /** Errors of the page's console, uncaught exceptions and violations of the policy, in order. */
  readonly complaints: readonly string[];
  readonly pane: (side: Side) => Locator;
  readonly log: Locator;
  /** Logs in with a pasted token; resolves when the inbox is live. */
  readonly signIn: (side: Side, person: Person) => Promise<Locator>;
  /** The notifications in a pane’s inbox that are built. */
  readonly items: (side: Side) => Locator;
}

export interface Stage extends AsyncDisposable {
  readonly app: TestApp;
  /** Opens the console, with the demo users to choose from. */
  open(options?: OpenOptions): Promise<ConsolePage>;
  /** Closes every page. */
  clear(): Promise<void>;
}

export interface OpenOptions extends BrowserContextOptions {
  /** What the server is taken to tell of itself; else it is asked. */
  info?: object;
  /** Theme and language, as remembered from an earlier visit. */
  preferences?: { theme: 'light' | 'dark' | 'auto'; locale: 'en' | 'zh' };
}

/** The server with the demo users, and a browser. */
export async function openStage(options: TestAppOptions = {}): Promise<Stage> {
  await using resources = new AsyncDisposableStack();
  const app = resources.use(await startApp(options));
  for (const { username, roles } of demo.users) {
    await asEveryTenant(() =>
      app.app.context.users.add({ tenantId: demo.tenant, id: username, username, password: PASSWORD, roles }),
    );
  }
  const browser = await launch();
  resources.defer(() => browser.close());
  const owned = resources.move();
  return {
    app,
    open: (given) => openConsole(browser, app.url, { info: { version: '0.1.0', demo }, ...given }),
    async clear() {
      for (const context of browser.contexts()) await context.close();
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

export function launch(): Promise<Browser> {
  const { CHROMIUM_PATH: executablePath } = process.env;
  if (executablePath === undefined) throw new Error('CHROMIUM_PATH is not set: the test run sets it');
  return chromium.launch({ executablePath, args: CHROMIUM_ARGUMENTS });
}

export async function openConsole(
  browser: Browser,
  url: string,
  { info, preferences = { theme: 'light', locale: 'en' }, ...options }: OpenOptions = {},
): Promise<ConsolePage> {
  const context = await browser.newContext({ viewport: { width: 1300, height: 1000 }, ...options });
  context.setDefaultTimeout(45_000);
  const stored = JSON.stringify(JSON.stringify(preferences));
  await context.addInitScript(
    `localStorage['carillon.preferences'] ??= ${stored};
     document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
       console.error('policy', violatedDirective, blockedURI));`,
  );
  if (info) await context.route('**/console.json', (route) => route.fulfill({ json: info }));
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error.stack ?? error)));
  await page.goto(url);
  const pane = (side: Side): Locator => page.locator('.pane').nth(side === 'left' ? 0 : 1);
  await pane('right').waitFor();
  return {
    page,
    complaints,
    pane,
    log: page.locator('.log'),
    items: (side) => pane(side).locator('.panel .carillon-item'),
    async signIn(side, { token }) {
      const within = pane(side);
      await within.getByRole('radio', { name: 'Token' }).check();
      await within.getByLabel('Access token').fill(token);
      await within.getByRole('button', { name: 'Use this token' }).click();
      await isLive(within);
      return within;
    },
  };
}

/** Resolves when the GraphQL socket of a pane is live. */
export async function isLive(pane: Locator): Promise<void> {
  await pane.getByRole('group', { name: 'GraphQL socket' }).getByText('live', { exact: true }).waitFor();
}
