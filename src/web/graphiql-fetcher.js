/**
 * Runs in the browser, inside the GraphiQL page (see `graphiql.ts`), as a
 * classic script: how GraphiQL's Execute button reaches Carillon.
 *
 * GraphiQL calls its fetcher with the operation and with whatever the Headers
 * editor holds at that moment. Queries and mutations go over HTTP with those
 * headers. A browser cannot put headers on a WebSocket, so a subscription hands
 * the same headers over as the `connectionParams` of graphql-transport-ws, with
 * lower-case names as HTTP would have delivered them: what is pasted once as
 * `Authorization` opens both doors.
 */
(() => {
  /**
   * Makes the fetcher for the GraphQL endpoint at `httpUrl`; WebSockets use the
   * same address.
   */
  function createFetcher(httpUrl) {
    const socketUrl = new URL(httpUrl);
    socketUrl.protocol = httpUrl.protocol === 'https:' ? 'wss:' : 'ws:';

    return ({ query, variables, operationName }, { headers: given = {}, documentAST } = {}) => {
      const request = { query, variables, operationName };
      const headers = withoutHints(given);
      return isSubscription(documentAST, operationName)
        ? subscribe(socketUrl.href, request, headers)
        : post(httpUrl.href, request, headers);
    };
  }

  /** The headers without those that still say where a token goes: with them even the schema would be refused. */
  function withoutHints(headers) {
    return Object.fromEntries(Object.entries(headers).filter(([, value]) => !String(value).includes('<token>')));
  }

  /** Whether the operation GraphiQL is about to run is a subscription. */
  function isSubscription(documentAST, operationName) {
    const operations = (documentAST?.definitions ?? []).filter(
      (definition) => definition.kind === 'OperationDefinition',
    );
    const chosen =
      operations.length > 1 ? operations.find((operation) => operation.name?.value === operationName) : operations[0];
    return chosen?.operation === 'subscription';
  }

  async function post(url, request, headers) {
    const merged = new Headers({
      accept: 'application/graphql-response+json, application/json;q=0.9',
      'content-type': 'application/json',
    });
    for (const [name, value] of Object.entries(headers)) merged.set(name, String(value));
    const response = await fetch(url, {
      method: 'POST',
      credentials: 'same-origin',
      headers: merged,
      body: JSON.stringify(request),
    });
    const text = await response.text();
    try {
      return JSON.parse(text);
    } catch {
      return { errors: [{ message: `HTTP ${response.status}, not JSON: ${text.slice(0, 2000)}` }] };
    }
  }

  /**
   * Opens one WebSocket for one subscription, as an observable. Pressing Stop
   * unsubscribes, which closes it. It is not reopened when it breaks: whoever
   * tries the service out should see that it did, and why.
   */
  function subscribe(url, request, headers) {
    return {
      subscribe(observer) {
        const client = globalThis.graphqlWs.createClient({
          url,
          connectionParams: Object.fromEntries(
            Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]),
          ),
          retryAttempts: 0,
        });
        const unsubscribe = client.subscribe(request, {
          next: (result) => observer.next(result),
          complete: () => observer.complete(),
          error: (reason) => observer.error(toErrors(reason)),
        });
        return { unsubscribe };
      },
    };
  }

  /** GraphQL errors as they came; a closed or failed socket as one plain error. */
  function toErrors(reason) {
    if (Array.isArray(reason)) return reason;
    if (typeof reason?.code === 'number') {
      const refused = reason.code === 4401 || reason.code === 4403;
      return {
        message:
          `WebSocket closed: ${reason.code} ${reason.reason ?? ''}`.trim() +
          (refused
            ? '. Put {"Authorization": "Bearer <token>"} into the Headers editor; where the page came with a token, load it again.'
            : ''),
      };
    }
    return { message: reason instanceof Error ? reason.message : 'WebSocket failed to connect' };
  }

  /**
   * Has the browser itself refuse everything that does not come from this
   * server: scripts, styles, fonts and images are in the page, workers are its
   * own blobs, and only this host may be called. Both spellings of the host are
   * named because not every browser counts ws: as part of 'self'.
   */
  function keepToThisHost() {
    const policy = document.createElement('meta');
    policy.httpEquiv = 'Content-Security-Policy';
    policy.content = [
      "default-src 'none'",
      "script-src 'unsafe-inline' blob:",
      "style-src 'unsafe-inline'",
      'img-src data:',
      'font-src data:',
      'worker-src blob:',
      `connect-src 'self' ${location.origin.replace(/^http/, 'ws')}`,
      "base-uri 'none'",
      "form-action 'none'",
    ].join('; ');
    document.head.append(policy);
  }

  /**
   * The variables of the stored tab with the query of the address, which is where GraphiQL keeps the present one. After a
   * reload it finds that tab again only when it is told them as well; else it would open another one, without them.
   */
  function storedVariables() {
    const query = new URL(location.href).searchParams.get('query');
    if (query === null) return {};
    try {
      const { tabs } = JSON.parse(localStorage.getItem('graphiql:tabState'));
      const tab = tabs.find((one) => one.query === query);
      return tab ? { variables: tab.variables ?? '' } : {};
    } catch {
      return {}; // nothing is stored, or not by GraphiQL
    }
  }

  keepToThisHost();

  /** Called by the page in place of `YogaGraphiQL.renderYogaGraphiQL`. */
  globalThis.renderCarillonGraphiql = (root, { endpoint, ...options }) => {
    globalThis.YogaGraphiQL.renderYogaGraphiQL(root, {
      ...options,
      ...storedVariables(),
      fetcher: createFetcher(new URL(endpoint ?? location.pathname, location.href)),
    });
  };
})();
