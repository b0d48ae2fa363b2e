import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { OperationTypeNode, parse } from 'graphql';
import { createClient } from 'graphql-ws';
import { WebSocket } from 'ws';
import type { Person, TestApp } from '../support/app.ts';
import { Messages } from '../support/messages.ts';
import type { Message } from '../support/socket-client.ts';

/** Apollo Client as its documentation has it: subscriptions over the socket, all else over HTTP. */
export function apollo(app: TestApp, { token }: Person) {
  const authorization = `Bearer ${token}`;
  const socket = createClient({
    url: app.graphqlSocketUrl,
    webSocketImpl: WebSocket,
    connectionParams: { authorization },
    retryAttempts: 0,
  });
  let opened: WebSocket | undefined;
  socket.on('opened', (webSocket) => {
    opened = webSocket as WebSocket;
  });
  const client = new ApolloClient({
    link: ApolloLink.split(
      ({ operationType }) => operationType === OperationTypeNode.SUBSCRIPTION,
      new GraphQLWsLink(socket),
      new HttpLink({ uri: app.graphqlUrl, headers: { authorization } }),
    ),
    cache: new InMemoryCache(),
  });
  return {
    /** The client of the very socket that the subscriptions are on. */
    socket,
    loseConnection: () => opened?.terminate(),
    /** What `field` of a subscription brings; `failed` resolves with the error that ends it. */
    hear<T>(query: string, field: string, variables: Record<string, unknown> = {}) {
      const told = new Messages<T>();
      const { promise: failed, resolve } = Promise.withResolvers<unknown>();
      client
        .subscribe<Record<string, T>>({ query: parse(query), variables })
        .subscribe(({ data, error }) => (error ? resolve(error) : told.add(data?.[field] as T)));
      return { told, failed };
    },
    async mutate(mutation: string, variables: Record<string, unknown>): Promise<Message | undefined> {
      return (await client.mutate<Message>({ mutation: parse(mutation), variables })).data;
    },
    async [Symbol.asyncDispose]() {
      client.stop();
      await socket.dispose();
    },
  };
}
