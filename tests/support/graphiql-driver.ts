/**
 * Drives the GraphiQL page in a headless Chromium, the way a person at the
 * keyboard would: choose the Headers tool, put text into an editor, press the
 * Execute button, read the result pane. Knows no test framework.
 *
 * GraphiQL 5 edits with Monaco, which makes the obvious ways of driving it
 * unreliable: typed text gets brackets closed and lines indented on its own,
 * and the DOM holds only the lines that are scrolled into view. So the driver
 * makes the page's own bundle publish its `monaco` object (the bundle looks at
 * `MonacoEnvironment.globalAPI` while it loads) and reads and writes the
 * editors' models, which fire the same change events as typing does.
 */
import type { Browser, Locator, Page } from 'playwright-core';
import { chromium } from 'playwright-core';

const CHROMIUM_ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  // Nothing but this machine has a name: a page that needs a CDN breaks here.
  '--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost',
];

/** One WebSocket the page opened, with the text frames that went over it. */
export interface RecordedSocket {
  readonly url: string;
  readonly sent: string[];
  readonly received: string[];
  closed: boolean;
}

/** A result the page showed: its text, and that text as JSON if it is JSON. */
export type ResultPredicate = (result: unknown, text: string) => boolean;

export interface GraphiqlDriverOptions {
  /** How long any single wait may take, in milliseconds. Default 45000. */
  readonly timeout?: number;
}

export interface GraphiqlDriver extends AsyncDisposable {
  /** The Playwright page, for what this driver does not offer. */
  readonly page: Page;
  /** The URL of every request or WebSocket, workers' included, to another host or port than the page's. */
  readonly foreignRequests: readonly string[];
  /** `console.error` lines and uncaught exceptions, in order. */
  readonly consoleErrors: readonly string[];
  /** WebSockets opened so far, oldest first. */
  readonly sockets: readonly RecordedSocket[];
  /** Replaces the Headers editor's text; an object is written as JSON. */
  setHeaders(headers: string | Record<string, string>): Promise<void>;
  /** Replaces the Variables editor's text; an object is written as JSON. */
  setVariables(variables: string | Record<string, unknown>): Promise<void>;
  /** Replaces the query editor's text and waits until GraphiQL has taken it in. */
  setQuery(text: string): Promise<void>;
  /** The query editor's text. */
  queryText(): Promise<string>;
  /** The Headers editor's text. */
  headersText(): Promise<string>;
  /** The Variables editor's text. */
  variablesText(): Promise<string>;
  /** The labels of the open tabs, left to right. */
  tabTitles(): Promise<string[]>;
  /** Opens the tab with that label. */
  openTab(title: string): Promise<void>;
  /** Loads the page again, as a person does who comes back, and waits as at first. */
  reload(): Promise<void>;
  /**
   * Presses Execute. Give the operation's name when the query editor holds more
   * than one: GraphiQL then asks which. A subscription that is still running is
   * stopped first, as Execute would otherwise mean Stop.
   */
  run(operationName?: string): Promise<void>;
  /** Presses Stop if an operation is running. */
  stop(): Promise<void>;
  /** Whether the button shows Stop: a request or a subscription is under way. */
  isRunning(): Promise<boolean>;
  /** The result pane's whole text right now. */
  resultText(): Promise<string>;
  /**
   * Resolves with the text of the first result since the last `run()` that
   * satisfies `predicate`; a subscription's earlier events count although the
   * pane shows the latest only. Rejects after the timeout with the results seen.
   */
  waitForResult(predicate: ResultPredicate, timeout?: number): Promise<string>;
  /** Resolves once the condition, looked at again and again, holds. */
  waitFor(condition: () => boolean): Promise<void>;
  screenshot(path: string): Promise<void>;
  close(): Promise<void>;
}

type Editor = 'operation.graphql' | 'variables.json' | 'request-headers.json' | 'response.json';

/** Runs in the page before its scripts: publish `monaco`. */
function publishMonaco(): void {
  let environment: object | undefined;
  Object.defineProperty(globalThis, 'MonacoEnvironment', {
    configurable: true,
    get: () => environment,
    set: (value: object) => {
      environment = { ...value, globalAPI: true };
    },
  });
}

/** Runs in the page: whether GraphiQL has all of its editors. */
function editorsStand(): boolean {
  const { monaco } = globalThis as unknown as Partial<PageGlobals>;
  const paths = monaco?.editor.getModels().map((model) => model.uri.path) ?? [];
  return ['operation.graphql', 'variables.json', 'request-headers.json', 'response.json'].every((name) =>
    paths.some((path) => path.endsWith(name)),
  );
}

/** Runs in the page: remember each text the result pane shows. */
function recordResults(): void {
  const page = globalThis as unknown as PageGlobals;
  const model = page.monaco.editor.getModels().find((m) => m.uri.path.endsWith('response.json'));
  page.graphiqlResults = [];
  model?.onDidChangeContent(() => {
    const text = model.getValue();
    if (text.trim() !== '') page.graphiqlResults.push(text);
  });
}

interface PageModel {
  readonly uri: { readonly path: string };
  getValue(): string;
  setValue(text: string): void;
  onDidChangeContent(listener: () => void): void;
}

interface PageGlobals {
  readonly monaco: { readonly editor: { getModels(): PageModel[] } };
  graphiqlResults: string[];
}

/**
 * Starts a browser, opens GraphiQL at `url` and waits until its editors stand
 * and it has loaded the schema or given up on it.
 */
export async function openGraphiql(url: string, options: GraphiqlDriverOptions = {}): Promise<GraphiqlDriver> {
  const timeout = options.timeout ?? 45_000;
  const { CHROMIUM_PATH: executablePath } = process.env;
  if (executablePath === undefined) throw new Error('CHROMIUM_PATH is not set: the test run sets it');
  const browser = await chromium.launch({
    executablePath,
    args: CHROMIUM_ARGUMENTS,
    timeout,
  });
  try {
    return await drive(browser, url, timeout);
  } catch (error) {
    await browser.close();
    throw error;
  }
}

async function drive(browser: Browser, url: string, timeout: number): Promise<GraphiqlDriver> {
  const host = new URL(url).host;
  const foreignRequests: string[] = [];
  const consoleErrors: string[] = [];
  const sockets: RecordedSocket[] = [];

  const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
  context.setDefaultTimeout(timeout);
  await context.addInitScript(publishMonaco);
  const noteForeign = (address: string): void => {
    const { protocol, host: target } = new URL(address);
    // blob: and data: addresses are the page's own bytes.
    if (protocol !== 'blob:' && protocol !== 'data:' && target !== host) {
      foreignRequests.push(address);
    }
  };
  context.on('request', (request) => noteForeign(request.url()));

  const page = await context.newPage();
  page.on('console', (message) => {
    if (message.type() === 'error') consoleErrors.push(message.text());
  });
  page.on('pageerror', (error) => consoleErrors.push(String(error.stack ?? error)));
  page.on('websocket', (socket) => {
    noteForeign(socket.url());
    const record: RecordedSocket = { url: socket.url(), sent: [], received: [], closed: false };
    sockets.push(record);
    socket.on('framesent', (frame) => record.sent.push(String(frame.payload)));
    socket.on('framereceived', (frame) => record.received.push(String(frame.payload)));
    socket.on('close', () => {
      record.closed = true;
    });
  });

  const load = async (go: () => Promise<unknown>): Promise<void> => {
    await go();
    await page.waitForFunction(editorsStand, undefined, { timeout });
    // GraphiQL disables "Re-fetch GraphQL schema" while the introspection runs.
    await page.locator('.graphiql-sidebar button[aria-label^="Re-fetch"]:enabled').waitFor();
    await page.evaluate(recordResults);
  };
  try {
    await load(() => page.goto(url));
  } catch (cause) {
    throw new Error(
      `GraphiQL did not come up at ${url}. Requests elsewhere: ${JSON.stringify(foreignRequests)}; console errors: ${JSON.stringify(consoleErrors)}`,
      { cause },
    );
  }

  const read = (editor: Editor): Promise<string> =>
    page.evaluate((name) => {
      const { monaco } = globalThis as unknown as PageGlobals;
      const model = monaco.editor.getModels().find((m) => m.uri.path.endsWith(name));
      return model?.getValue() ?? '';
    }, editor);
  const write = (editor: Editor, text: string): Promise<void> =>
    page.evaluate(
      ([name, value]) => {
        const { monaco } = globalThis as unknown as PageGlobals;
        monaco.editor
          .getModels()
          .find((m) => m.uri.path.endsWith(name))
          ?.setValue(value);
      },
      [editor, text] as const,
    );
  const until = async <T>(
    what: () => Promise<T | undefined>,
    failure: () => Promise<string>,
    limit = timeout,
  ): Promise<T> => {
    const deadline = Date.now() + limit;
    for (;;) {
      const value = await what();
      if (value !== undefined) return value;
      if (Date.now() > deadline) throw new Error(await failure());
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
  };

  /**
   * GraphiQL parses what an editor holds 100 ms after the last change and keeps the old operation until then; the page
   * then puts the query into its address.
   */
  const takenIn = (query: string): Promise<boolean> =>
    until(
      async () => ((new URL(page.url()).searchParams.get('query') ?? '') === query ? true : undefined),
      async () => `GraphiQL did not take the query in: ${query}`,
    );

  const tool = (name: 'Variables' | 'Headers'): Locator =>
    page.locator('.graphiql-editor-tools button', { hasText: name });
  const button = page.locator('.graphiql-execute-button');
  const isRunning = async (): Promise<boolean> => ((await button.getAttribute('aria-label')) ?? '').startsWith('Stop');
  const results = (): Promise<string[]> => page.evaluate(() => (globalThis as unknown as PageGlobals).graphiqlResults);

  const driver: GraphiqlDriver = {
    page,
    foreignRequests,
    consoleErrors,
    sockets,
    async setHeaders(headers) {
      await tool('Headers').click();
      await write('request-headers.json', json(headers));
    },
    async setVariables(variables) {
      await tool('Variables').click();
      await write('variables.json', json(variables));
    },
    async setQuery(text) {
      await write('operation.graphql', text);
      await takenIn(text);
    },
    queryText: () => read('operation.graphql'),
    headersText: () => read('request-headers.json'),
    variablesText: () => read('variables.json'),
    tabTitles: () => page.locator('.graphiql-tab-button').allInnerTexts(),
    async openTab(title) {
      await page.locator('.graphiql-tab-button').getByText(title, { exact: true }).click();
      await page.locator('.graphiql-tab-active').getByText(title, { exact: true }).waitFor();
      await takenIn(await read('operation.graphql'));
    },
    reload: () => load(() => page.reload()),
    isRunning,
    async stop() {
      if (!(await isRunning())) return;
      await button.click();
      await until(
        async () => ((await isRunning()) ? undefined : true),
        async () => 'GraphiQL did not stop the operation',
      );
    },
    async run(operationName) {
      await driver.stop();
      await page.evaluate(() => {
        (globalThis as unknown as PageGlobals).graphiqlResults = [];
      });
      await button.click();
      if (operationName !== undefined) {
        await page.getByRole('menuitem', { name: operationName, exact: true }).click();
      }
    },
    resultText: () => read('response.json'),
    waitForResult(predicate, limit) {
      return until(
        async () => (await results()).find((text) => predicate(parsed(text), text)),
        async () =>
          `GraphiQL showed no such result. Shown since run(): ${JSON.stringify(await results())}; console errors: ${JSON.stringify(consoleErrors)}`,
        limit,
      );
    },
    async waitFor(condition) {
      await until(
        async () => (condition() ? true : undefined),
        async () => `waited in vain; console errors: ${JSON.stringify(consoleErrors)}`,
      );
    },
    async screenshot(path) {
      await page.screenshot({ path });
    },
    close: () => browser.close(),
    [Symbol.asyncDispose]: () => browser.close(),
  };
  return driver;
}

const json = (value: string | object): string => (typeof value === 'string' ? value : JSON.stringify(value, null, 2));

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
