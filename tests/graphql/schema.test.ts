import { readFile, readdir } from 'node:fs/promises';
import { expect, test } from '@jest/globals';
import {
  type GraphQLSchema,
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  isEnumType,
  isInputObjectType,
  isObjectType,
  parse,
  printSchema,
  validate,
} from 'graphql';
import { printedSchema, schema } from '../../src/schema/index.ts';
import { startApp } from '../support/app.ts';

/** What clients rely on. The schema may grow beyond it; nothing of it may change. */
const CONTRACT = /* GraphQL */ `
  scalar DateTime
  scalar JSON
  type Query {
    notification(id: ID!): Notification
    notifications(first: Int, after: String, last: Int, before: String, filter: NotificationFilter): NotificationConnection!
    unreadCount(filter: NotificationFilter): Int!
  }
  type Mutation {
    send(input: SendInput!): Notification!
    markRead(id: ID!): Notification!
    batchMarkRead(ids: [ID!]!): BatchMarkReadPayload!
    delete(id: ID!): DeletePayload!
  }
  type Subscription {
    notificationAdded(after: String): Notification!
  }
  type BatchMarkReadPayload {
    count: Int!
    unreadCount: Int!
  }
  type DeletePayload {
    id: ID!
    unreadCount: Int!
  }
  type NotificationConnection {
    edges: [NotificationEdge!]!
    nodes: [Notification!]!
    pageInfo: PageInfo!
    totalCount: Int!
    unreadCount: Int!
  }
  type NotificationEdge {
    cursor: String!
    node: Notification!
  }
  type PageInfo {
    hasNextPage: Boolean!
    hasPreviousPage: Boolean!
    startCursor: String
    endCursor: String
  }
  input NotificationFilter {
    unread: Boolean
    types: [NotificationType!]
    priorities: [NotificationPriority!]
  }
  input SendInput {
    recipientId: ID
    type: NotificationType = SYSTEM
    title: String!
    content: String!
    link: String
    priority: NotificationPriority = NORMAL
    channel: NotificationChannel = IN_APP
    data: JSON
    relatedType: String
    relatedId: ID
    idempotencyKey: String
  }
  type Notification {
    id: ID!
    cursor: String!
    tenantId: ID!
    recipientId: ID!
    senderId: ID
    type: NotificationType!
    priority: NotificationPriority!
    channel: NotificationChannel!
    status: NotificationStatus!
    title: String!
    content: String!
    link: String
    data: JSON
    relatedType: String
    relatedId: ID
    isRead: Boolean!
    readAt: DateTime
    createdAt: DateTime!
  }
  enum NotificationType { SYSTEM APPROVAL TASK MESSAGE ALERT }
  enum NotificationPriority { LOW NORMAL HIGH URGENT }
  enum NotificationChannel { IN_APP EMAIL SMS WEBHOOK }
  enum NotificationStatus { PENDING SENT DELIVERED READ FAILED RECALLED }
`;

/** One line for each thing that a client can rely on, such as `Query.notification(id): ID!`. */
function promisesOf(from: GraphQLSchema): string[] {
  return Object.values(from.getTypeMap()).flatMap((type) => {
    if (type.name.startsWith('__')) return [];
    if (isEnumType(type)) return type.getValues().map(({ name }) => `${type.name}.${name}`);
    if (isInputObjectType(type)) {
      return Object.values(type.getFields()).map(
        (field) => `${type.name}.${field.name}: ${String(field.type)} = ${String(field.defaultValue)}`,
      );
    }
    if (!isObjectType(type)) return [`${type.constructor.name} ${type.name}`];
    return Object.values(type.getFields()).flatMap((field) => [
      `${type.name}.${field.name}: ${String(field.type)}`,
      ...field.args.map((argument) => `${type.name}.${field.name}(${argument.name}): ${String(argument.type)}`),
    ]);
  });
}

test('the schema keeps every name, type, nullability and default of the contract', () => {
  const promised = promisesOf(buildSchema(CONTRACT));
  expect(promised.length).toBeGreaterThan(80);
  expect(promisesOf(schema)).toEqual(expect.arrayContaining(promised));
});

test('what the schema has beyond the contract demands nothing of its callers', () => {
  const promised = new Set(promisesOf(buildSchema(CONTRACT)));
  const beyond = promisesOf(schema).filter((line) => !promised.has(line));
  const inputs = new Set(['NotificationFilter.', 'SendInput.']);
  const demands = beyond.filter(
    (line) => [...inputs].some((input) => line.startsWith(input)) && line.endsWith('! = undefined'),
  );
  expect(demands).toEqual([]);
});

test('the committed schema.graphql is the present one; if not, run: npm run schema', async () => {
  expect(await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8')).toBe(printedSchema());
});

test('introspection without a token gives the whole schema', async () => {
  await using app = await startApp();
  const { data, errors } = await app.graphql(
    getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true }),
  );
  expect(errors).toBeUndefined();
  expect(`${printSchema(buildClientSchema(data))}\n`).toBe(printedSchema());
});

test('every document of the clients is valid', async () => {
  const folder = new URL('../../src/web/operations/', import.meta.url);
  const names = (await readdir(folder)).filter((name) => name.endsWith('.graphql'));
  expect(names).toContain('notifications.graphql');
  for (const name of names) {
    expect([name, validate(schema, parse(await readFile(new URL(name, folder), 'utf8')))]).toEqual([name, []]);
  }
});
