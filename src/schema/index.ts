import { printSchema } from 'graphql';
import { builder } from './builder.ts';
import './inbox.ts';
import './live.ts';
import './notification.ts';
import './send.ts';

export type { GraphQLContext } from './builder.ts';

export const schema = builder.toSchema({ sortSchema: false });

/** The text of `schema.graphql`. */
export const printedSchema = (): string => `${printSchema(schema)}\n`;
