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
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { GraphiQLOptions } from 'graphql-yoga';
import { readExamples } from './graphiql-examples.ts';

/** Drawn here so that no picture has to be fetched. */
const bell =
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="32" height="32" fill="#b45309">' +
  '<path d="M12 2a2 2 0 0 0-2 2v.3C7.1 5.2 5 7.9 5 11v5l-2 2v1h18v-1l-2-2v-5c0-3.1-2.1-5.8-5-6.7V4a2 2 0 0 0-2-2zM9.5 20a2.5 2.5 0 0 0 5 0z"/></svg>';

/** What the page has in its head. */
const head = { title: 'Carillon', favicon: `data:image/svg+xml,${encodeURIComponent(bell)}` };

/**
 * GraphiQL moves each tab to where it thinks that it was before, as soon as it has the focus: with several tabs at the
 * start the first press on one pushes it away from under the pointer, and is no click. Tabs can still be put in order by
 * dragging.
 */
const STYLE = '.graphiql-tab { transform: none !important; }';

/** Stands where a token belongs; the fetcher sends nothing that holds it. */
const TOKEN_HINT = '<token>';

/** The page, as UTF-8, in two parts that belong together. */
export interface GraphiqlPage {
  /** Some 9 MB; the same bytes for everybody, so that many slow readers hold no more than one. */
  readonly shared: Uint8Array;
  /** A few KB of this visit's own. It holds the token: nobody else may get it. */
  readonly own: Uint8Array;
}

/**
 * Renders the page for one visit, with the examples in its tabs and the token, or a hint of where one goes, in the
 * headers of each. The large part, and the package holding it, are loaded on the first visit only.
 */
export async function renderGraphiql(token: string | undefined): Promise<GraphiqlPage> {
  const [shared, defaultTabs] = await Promise.all([sharedPart(), readExamples()]);
  const headers = { Authorization: `Bearer ${token ?? TOKEN_HINT}` };
  const options: GraphiQLOptions = {
    logo: bell,
    // GraphiQL 5 gives its default headers to every tab that has none: to new ones and, after a reload, to all.
    defaultTabs: [...defaultTabs],
    headers: JSON.stringify(headers, undefined, 2),
    defaultEditorToolsVisibility: 'headers',
    // A token is a credential: it is not written to the browser's storage.
    shouldPersistHeaders: false,
  };
  // In a script element only `<` could end it.
  const json = JSON.stringify(options).replaceAll('<', '\\u003c');
  const own = `renderCarillonGraphiql(document.querySelector('#root'), ${json});</script></body></html>\n`;
  return { shared, own: new TextEncoder().encode(own) };
}

let sharing: Promise<Uint8Array> | undefined;

function sharedPart(): Promise<Uint8Array> {
  if (sharing === undefined) {
    sharing = buildSharedPart();
    // A failure is reported to this visitor and tried again for the next.
    sharing.catch(() => {
      sharing = undefined;
    });
  }
  return sharing;
}

/** The package's page up to the call that starts it, which is its last; the code before it is the bundle. */
async function buildSharedPart(): Promise<Uint8Array> {
  const [{ renderGraphiQL }, graphqlWs, fetcher] = await Promise.all([
    import('@graphql-yoga/render-graphiql'),
    readFile(graphqlWsBrowserBuild(), 'utf8'),
    readFile(new URL('./graphiql-fetcher.js', import.meta.url), 'utf8'),
  ]);
  const page = renderGraphiQL(head);
  const headAt = page.indexOf('</head>');
  const startAt = page.lastIndexOf('YogaGraphiQL.renderYogaGraphiQL(');
  if (headAt === -1 || startAt < headAt) {
    throw new Error('The page of @graphql-yoga/render-graphiql changed; see src/web/graphiql.ts');
  }
  return new TextEncoder().encode(
    `${page.slice(0, headAt).trimStart()}<style>${STYLE}</style><script>${graphqlWs}</script><script>${fetcher}</script>` +
      page.slice(headAt, startAt),
  );
}

/** The path of graphql-ws's one-file browser build, which sets `graphqlWs`. */
function graphqlWsBrowserBuild(): string {
  const manifest = createRequire(import.meta.url).resolve('graphql-ws/package.json');
  return join(manifest, '..', 'umd', 'graphql-ws.min.js');
}
