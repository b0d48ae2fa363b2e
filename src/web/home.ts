/** What a browser sees at the root where the console has not been built: where everything is. */
export const homePage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Carillon</title>
<style>
  :root { color-scheme: light dark; font: 17px/1.6 system-ui, sans-serif; }
  body { max-width: 40rem; margin: 12vh auto 4rem; padding: 0 1.5rem; }
  h1 { font-size: 2.2rem; letter-spacing: -0.02em; margin: 0 0 0.25rem; }
  p.lead { margin: 0 0 2rem; opacity: 0.8; }
  dl { display: grid; grid-template-columns: max-content 1fr; gap: 0.5rem 1.5rem; }
  dt, dd { margin: 0; }
  code { font: 0.9em ui-monospace, monospace; }
  a { color: #b45309; }
  @media (prefers-color-scheme: dark) { a { color: #fbbf24; } }
</style>
</head>
<body>
<h1>Carillon</h1>
<p class="lead">This notification service is running.</p>
<dl>
  <dt><a href="/graphql">/graphql</a></dt><dd>GraphQL, with GraphiQL in a browser; subscriptions over WebSocket or event stream</dd>
  <dt><a href="/api/v1/openapi.json">/api/v1</a></dt><dd>REST, described by OpenAPI 3.1</dd>
  <dt><code>/api/v1/notifications/ws</code></dt><dd>the raw WebSocket</dd>
  <dt><a href="/health">/health</a>, <a href="/ready">/ready</a></dt><dd>for whoever operates it</dd>
</dl>
<p>The console is not here: it has to be built. In the folder of the server: <code>npm ci &amp;&amp; npm run build</code></p>
</body>
</html>
`;
