/**
 * GraphiQL, the page a browser gets at the GraphQL address.
 *
 * Promised: the page needs nothing but this server. Yoga's own default page
 * loads its scripts from unpkg.com; `@graphql-yoga/render-graphiql` carries
 * them in the page instead, and a content security policy makes the browser
 * refuse anything else. Subscriptions run over WebSocket (graphql-transport-ws),
 * with the token from the Headers editor.
 *
 * That last part is why the package is not used as it is: with
 * `subscriptionsProtocol: 'WS'` its page opens the WebSocket with empty
 * connectionParams whatever the Headers editor holds, so Carillon would close
 * every subscription with 4403. The page does accept a `fetcher`, GraphiQL's
 * documented way out; ours is `graphiql-fetcher.js`, on top of the browser
 * build of the graphql-ws version the server itself uses.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { GraphiQLOptions } from 'graphql-yoga';

/** What a first visit shows; code generation fails when the schema no longer has it. */
export const exampleOperations = readFileSync(new URL('./operations/examples.graphql', import.meta.url), 'utf8');

/** Drawn here so that no picture has to be fetched. */
const bell =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="32" height="32" fill="#b45309">' +
  '<path d="M12 2a2 2 0 0 0-2 2v.3C7.1 5.2 5 7.9 5 11v5l-2 2v1h18v-1l-2-2v-5c0-3.1-2.1-5.8-5-6.7V4a2 2 0 0 0-2-2zM9.5 20a2.5 2.5 0 0 0 5 0z"/></svg>';

/**
 * For Yoga's `graphiql` option.
 *
 * The three examples share one tab because GraphiQL keeps headers per tab: the
 * token is pasted once. It is a credential, so it is not written to the
 * browser's storage and is gone after a reload.
 */
export const graphiqlOptions: GraphiQLOptions = {
  title: 'Carillon',
  logo: bell,
  favicon: `data:image/svg+xml,${encodeURIComponent(bell)}`,
  defaultTabs: [{ query: exampleOperations }],
  defaultEditorToolsVisibility: 'headers',
  shouldPersistHeaders: false,
};

const pages = new Map<string, Promise<Uint8Array<ArrayBuffer>>>();

/**
 * For Yoga's `renderGraphiQL` option: the page, as UTF-8. It is some 9 MB, so
 * it and the package holding it are loaded on the first visit only, and one
 * copy is kept for each set of options.
 */
export function renderGraphiql(options: GraphiQLOptions): Promise<Uint8Array<ArrayBuffer>> {
  const key = JSON.stringify(options);
  let page = pages.get(key);
  if (page === undefined) {
    page = buildPage(options);
    pages.set(key, page);
    // A failure is reported to this visitor and tried again for the next.
    page.catch(() => pages.delete(key));
  }
  return page;
}

async function buildPage(options: GraphiQLOptions): Promise<Uint8Array<ArrayBuffer>> {
  const [{ renderGraphiQL }, graphqlWs, fetcher] = await Promise.all([
    import('@graphql-yoga/render-graphiql'),
    readFile(graphqlWsBrowserBuild(), 'utf8'),
    readFile(new URL('./graphiql-fetcher.js', import.meta.url), 'utf8'),
  ]);
  const page = renderGraphiQL(options);

  const headEnd = '</head>';
  const start = 'YogaGraphiQL.renderYogaGraphiQL(';
  // The page's own call is its last; the code before it is the bundle.
  const headAt = page.indexOf(headEnd);
  const startAt = page.lastIndexOf(start);
  if (headAt === -1 || startAt < headAt) {
    throw new Error('The page of @graphql-yoga/render-graphiql changed; see src/web/graphiql.ts');
  }
  return new TextEncoder().encode(
    `${page.slice(0, headAt)}<script>${graphqlWs}</script><script>${fetcher}</script>` +
      `${page.slice(headAt, startAt)}renderCarillonGraphiql(${page.slice(startAt + start.length)}`,
  );
}

/** The path of graphql-ws's one-file browser build, which sets `graphqlWs`. */
function graphqlWsBrowserBuild(): string {
  const manifest = createRequire(import.meta.url).resolve('graphql-ws/package.json');
  return join(manifest, '..', 'umd', 'graphql-ws.min.js');
}
