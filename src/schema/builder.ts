import SchemaBuilder from '@pothos/core';
import { GraphQLDateTimeISO, GraphQLJSON } from 'graphql-scalars';
import { unauthenticated } from '../errors.ts';
import type { Caller } from '../services/caller.ts';
import type { Json } from '../services/notification.ts';
import type { Notifications } from '../services/notifications.ts';

/** What resolvers get. */
export interface GraphQLContext {
  /** Absent when the request carries no token; such a request reaches nothing but introspection. */
  readonly caller: Caller | undefined;
  readonly notifications: Notifications;
  /** Called when a subscription is ended because its reader is too slow. */
  readonly onSlow?: (() => void) | undefined;
}

export const builder = new SchemaBuilder<{
  Context: GraphQLContext;
  DefaultFieldNullability: false;
  Scalars: {
    ID: { Input: string; Output: string };
    DateTime: { Input: Date; Output: Date };
    JSON: { Input: unknown; Output: Json };
  };
}>({ defaultFieldNullability: false });

builder.queryType();
builder.mutationType();
builder.subscriptionType();

builder.addScalarType(
  'DateTime',
  namedScalar(GraphQLDateTimeISO, 'DateTime', 'An instant in RFC 3339, UTC, with milliseconds.'),
);
builder.addScalarType('JSON', namedScalar(GraphQLJSON, 'JSON', 'Any JSON value.'));

/** A scalar of the library under the contract's name and with our own words. */
function namedScalar<S extends typeof GraphQLJSON | typeof GraphQLDateTimeISO>(
  scalar: S,
  name: string,
  description: string,
): S {
  const { constructor } = scalar;
  const config = { ...scalar.toConfig(), name, description };
  return new (constructor as new (config: object) => S)(config);
}

/** The caller of an operation. `prepare` has refused operations without one; this makes it certain. */
export function callerOf(context: GraphQLContext): Caller {
  if (!context.caller) throw unauthenticated('A token is needed.');
  return context.caller;
}
