// What Carillon is compared with: a notification server made of the same libraries as their own guides put them together.
import { createSecretKey } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { createServer } from 'node:http';
import { GraphQLError } from 'graphql';
import { PubSub } from 'graphql-subscriptions';
import { useServer } from 'graphql-ws/use/ws';
import { createSchema, createYoga } from 'graphql-yoga';
import jwt from 'jsonwebtoken';
import { WebSocketServer } from 'ws';
import { type Person, Store } from './store.ts';

interface Context {
  person: Person | undefined;
}

interface SendInput {
  recipientId: string;
  type: string;
  title: string;
  content: string;
  priority: string;
}

const typeDefs = /* GraphQL */ `
  type Notification {
    id: ID!
    type: String!
    title: String!
    content: String!
    priority: String!
    isRead: Boolean!
    createdAt: String!
  }
  type NotificationConnection {
    nodes: [Notification!]!
  }
  input SendInput {
    recipientId: ID!
    type: String = "SYSTEM"
    title: String!
    content: String!
    priority: String = "NORMAL"
  }
  type Query {
    unreadCount: Int!
    notifications(first: Int = 20): NotificationConnection!
  }
  type Mutation {
    send(input: SendInput!): Notification!
  }
  type Subscription {
    notificationAdded: Notification!
  }
`;

// A key object: a secret given as text is first tried as a public key, which takes longer than the check itself.
const secret = createSecretKey(Buffer.from(process.env['JWT_SECRET'] ?? ''));
const store = await Store.open(process.env['DATABASE_URL'] ?? '', Number(process.env['PG_POOL_MAX'] ?? 20));
// Its default emitter warns from the eleventh listener on.
const pubSub = new PubSub({ eventEmitter: new EventEmitter().setMaxListeners(0) });

function personOf(authorization: unknown): Person | undefined {
  if (typeof authorization !== 'string') return undefined;
  try {
    const claims = jwt.verify(authorization.replace(/^Bearer /, ''), secret, { algorithms: ['HS256'] });
    const { tenant_id: tenantId, user_id: userId } = claims as Record<string, string>;
    return tenantId && userId ? { tenantId, userId } : undefined;
  } catch {
    return undefined;
  }
}

function known({ person }: Context): Person {
  if (!person) throw new GraphQLError('Who are you?', { extensions: { code: 'UNAUTHENTICATED' } });
  return person;
}

const topicOf = ({ tenantId, userId }: Person): string => `added ${tenantId} ${userId}`;

const yoga = createYoga<{ connectionParams?: Record<string, unknown> }>({
  schema: createSchema({
    typeDefs,
    resolvers: {
      Query: {
        unreadCount: (_root: unknown, _args: unknown, context: Context) => store.countUnread(known(context)),
        notifications: async (_root: unknown, { first }: { first: number }, context: Context) => ({
          nodes: await store.newest(known(context), Math.min(first, 100)),
        }),
      },
      Mutation: {
        send: async (_root: unknown, { input }: { input: SendInput }, context: Context) => {
          const recipient = { tenantId: known(context).tenantId, userId: input.recipientId };
          const notificationAdded = await store.add(recipient, input);
          await pubSub.publish(topicOf(recipient), { notificationAdded });
          return notificationAdded;
        },
      },
      Subscription: {
        notificationAdded: {
          subscribe: (_root: unknown, _args: unknown, context: Context) =>
            pubSub.asyncIterableIterator(topicOf(known(context))),
        },
      },
    },
  }),
  context: ({ request, connectionParams }): Context => ({
    person: personOf(connectionParams?.['authorization'] ?? request?.headers.get('authorization')),
  }),
  graphiql: false,
  logging: 'warn',
});

const server = createServer((request, response) => void yoga(request, response));
const sockets = new WebSocketServer({ server, path: yoga.graphqlEndpoint });

useServer<Record<string, unknown>>(
  {
    onConnect: ({ connectionParams }) => personOf(connectionParams?.['authorization']) !== undefined,
    execute: (args) => (args.rootValue as typeof args & { execute: (args: unknown) => never }).execute(args),
    subscribe: (args) => (args.rootValue as typeof args & { subscribe: (args: unknown) => never }).subscribe(args),
    async onSubscribe({ connectionParams }, _id, params) {
      const enveloped = yoga.getEnveloped({ connectionParams: connectionParams ?? {}, params });
      const { schema, execute, subscribe, contextFactory, parse, validate } = enveloped;
      const document = parse(params.query);
      const errors = validate(schema, document);
      if (errors.length > 0) return errors;
      return {
        schema,
        document,
        operationName: params.operationName,
        variableValues: params.variables,
        contextValue: await contextFactory(),
        rootValue: { execute, subscribe },
      };
    },
  },
  sockets,
);

server.listen(Number(process.env['PORT']), '127.0.0.1');
