import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { sendTo } from '../sockets/connect.ts';
import { type Person, type TestApp, person, startApp } from '../support/app.ts';
import { launchBrowser } from '../support/browser.ts';
import { eventually } from '../support/eventually.ts';
import { type Site, buildSite, serveSite } from './site.ts';

const run = promisify(execFile);
const root = join(import.meta.dirname, '../..');
const modules = join(root, 'node_modules');
const NAMES = ['client', 'react'] as const;
const LINES = 5;

let resources: AsyncDisposableStack;
let directory: string;
let app: TestApp;
let site: Site;
let browser: Browser;
let ada: Person;
/** The whole program of a README's first block, by package. */
const programs = new Map<string, string>();

/** A folder with everything that is installed here, but for the packages themselves. */
async function install(into: string): Promise<void> {
  await mkdir(join(into, '@carillon'), { recursive: true });
  for (const name of await readdir(modules)) {
    if (name !== '@carillon') await symlink(join(modules, name), join(into, name));
  }
}

/** Packs both packages as npm publishes them, from a copy; answers with the paths of the tarballs. */
async function pack(): Promise<string[]> {
  const workspace = join(directory, 'workspace');
  await install(join(workspace, 'node_modules'));
  await cp(join(root, 'tsconfig.json'), join(workspace, 'tsconfig.json'));
  await cp(join(root, 'packages/tsconfig.json'), join(workspace, 'packages/tsconfig.json'));
  const tarballs: string[] = [];
  for (const name of NAMES) {
    const from = join(root, 'packages', name);
    const to = join(workspace, 'packages', name);
    await cp(from, to, { recursive: true, filter: (path) => !['dist', 'node_modules'].includes(basename(path)) });
    await symlink(to, join(workspace, 'node_modules/@carillon', name));
    const { stdout } = await run('npm', ['pack', '--json', '--silent', '--pack-destination', directory], { cwd: to });
    tarballs.push(join(directory, (JSON.parse(stdout) as { filename: string }[])[0]!.filename));
  }
  return tarballs;
}

/** A new application whose only source is the first block of the package's README. */
async function createApplication(name: string, tarballs: string[]): Promise<string> {
  const folder = join(directory, name);
  await install(join(folder, 'node_modules'));
  for (const [index, each] of NAMES.entries()) {
    const to = join(folder, 'node_modules/@carillon', each);
    await mkdir(to);
    await run('tar', ['--extract', '--file', tarballs[index]!, '--directory', to, '--strip-components', '1']);
  }
  const readme = await readFile(join(root, 'packages', name, 'README.md'), 'utf8');
  const program = /```tsx?\n(.*?)```/s.exec(readme)?.[1] ?? '';
  programs.set(name, program);
  await writeFile(join(folder, 'main.tsx'), program);
  // An unknown property passes where the types of the package are not found.
  const misuse =
    "import { Bell } from '@carillon/react';\n// @ts-expect-error\nexport const bell = <Bell unknown />;\n";
  await writeFile(join(folder, 'misuse.tsx'), misuse);
  await writeFile(
    join(folder, 'index.html'),
    '<!doctype html><html lang="en"><title>New</title><link rel="icon" href="data:,"><div id="root"></div><script type="module" src="./main.tsx"></script></html>',
  );
  await writeFile(
    join(folder, 'tsconfig.json'),
    JSON.stringify({
      compilerOptions: {
        strict: true,
        target: 'es2022',
        lib: ['es2023', 'dom', 'dom.iterable'],
        module: 'esnext',
        moduleResolution: 'bundler',
        jsx: 'react-jsx',
        noEmit: true,
        types: ['vite/client'],
        skipLibCheck: true,
      },
      files: ['main.tsx', 'misuse.tsx'],
    }),
  );
  return folder;
}

beforeAll(async () => {
  await using stack = new AsyncDisposableStack();
  directory = await mkdtemp(join(tmpdir(), 'carillon-new-app-'));
  stack.defer(() => rm(directory, { recursive: true, force: true }));
  const tarballs = await pack();
  ada = person();
  const sites = join(directory, 'sites');
  await mkdir(sites);
  site = stack.use(await serveSite(sites, { '/carillon-token': () => ada.token }));
  for (const name of NAMES) {
    const folder = await createApplication(name, tarballs);
    await run(process.execPath, [join(modules, 'typescript/bin/tsc'), '--project', folder]);
    await buildSite({
      root: folder,
      outDir: join(sites, name),
      base: `/${name}/`,
      isFromSource: false,
      isDevelopment: false,
    });
  }
  app = stack.use(await startApp({ env: { ALLOWED_ORIGINS: site.origin } }));
  browser = await launchBrowser({ localhost: Number(new URL(app.url).port) });
  stack.defer(() => browser.close());
  resources = stack.move();
}, 240_000);
afterAll(() => resources.disposeAsync());

/** A page of one of the applications, and what went wrong in it. */
async function open(name: string): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext({ permissions: ['notifications'] });
  context.setDefaultTimeout(45_000);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
  await page.goto(`${site.origin}/${name}/index.html`);
  return { page, complaints };
}

test.each(NAMES)('the first lines of the README of %s are five', (name) => {
  expect(programs.get(name)?.trimEnd().split('\n')).toHaveLength(LINES);
});

test('a new React application shows the bell with its count, and rings live', async () => {
  ada = person();
  await sendTo(app, ada, { title: 'Before' });
  const { page, complaints } = await open('react');
  await page.getByRole('button', { name: 'Notifications, 1 unread' }).waitFor();
  await eventually(() => app.app.context.hub.feedCount === 1);
  await sendTo(app, ada, { title: 'Live' });
  const bell = page.getByRole('button', { name: 'Notifications, 2 unread' });
  await bell.click();
  await page.getByRole('article', { name: /Live/ }).waitFor();
  const styled = await page.evaluate("getComputedStyle(document.querySelector('.carillon-popover')).position");
  expect(styled).toBe('fixed');
  expect(complaints).toEqual([]);
});

test('a new application without a framework shows the count in its title, and rings live', async () => {
  ada = person();
  await sendTo(app, ada, { title: 'Before' });
  const { page, complaints } = await open('client');
  await eventually(async () => (await page.title()) === '(1) My application');
  await eventually(() => app.app.context.hub.feedCount > 0);
  await sendTo(app, ada, { title: 'Live' });
  await eventually(async () => (await page.title()) === '(2) My application');
  expect(complaints).toEqual([]);
});
