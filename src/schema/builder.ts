import SchemaBuilder from '@pothos/core';
import { GraphQLError } from 'graphql';
import { GraphQLDateTimeISO, GraphQLJSON } from 'graphql-scalars';
import { unauthenticated } from '../errors.ts';
import type { Caller } from '../services/caller.ts';
import type { Json } from '../services/notification.ts';
import type { Services } from '../services/services.ts';

/** What resolvers get. */
export interface GraphQLContext {
  /** Absent when the request carries no token; such a request reaches nothing but introspection. */
  readonly caller: Caller | undefined;
  readonly services: Services;
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

const DateTime = namedScalar(GraphQLDateTimeISO, 'DateTime', 'An instant in RFC 3339, UTC, with milliseconds.');
const parseText = DateTime.parseValue;
/** The library writes what is no text into its message, and fails where that is nested beyond the stack. */
DateTime.parseValue = (value) => {
  if (typeof value !== 'string') throw new GraphQLError('DateTime must be text.');
  return parseText(value);
};

builder.addScalarType('DateTime', DateTime);
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
