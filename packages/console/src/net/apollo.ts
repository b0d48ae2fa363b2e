import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { serverUrl } from './server-url.ts';

type Token = (context: { refused: boolean }) => Promise<string>;

/** Apollo Client for one user. A token that the server refuses is asked for once more. */
export function createApollo(token: Token): ApolloClient {
  const request: typeof fetch = async (input, init) => {
    const attempt = async (refused: boolean): Promise<Response> => {
      const headers = new Headers(init?.headers);
      headers.set('authorization', `Bearer ${await token({ refused })}`);
      return fetch(input, { ...init, headers });
    };
    const response = await attempt(false);
    return response.status === 401 ? attempt(true) : response;
  };
  return new ApolloClient({
    cache: new InMemoryCache({ typePolicies: { UserPresence: { keyFields: ['userId'] } } }),
    link: new HttpLink({ uri: `${serverUrl}/graphql`, fetch: request }),
    defaultOptions: { watchQuery: { fetchPolicy: 'cache-and-network' } },
    // Each pane has one of its own: the extension of browsers knows one only.
    devtools: { enabled: false },
  });
}
