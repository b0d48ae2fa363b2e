import { printSchema } from 'graphql';
import { builder } from './builder.ts';
import './contact.ts';
import './delivery.ts';
import './inbox.ts';
import './live.ts';
import './notification.ts';
import './presence.ts';
import './recall.ts';
import './scheduled.ts';
import './send.ts';
import './typing.ts';
import './sent.ts';
import './stats.ts';

export type { GraphQLContext } from './builder.ts';

export const schema = builder.toSchema({ sortSchema: false });

/** The text of `schema.graphql`. */
export const printedSchema = (): string => `${printSchema(schema)}\n`;
