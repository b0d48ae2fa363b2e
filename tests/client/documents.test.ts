import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { buildSchema, parse, validate } from 'graphql';
import * as documents from '../../packages/client/src/documents.ts';

const schema = buildSchema(readFileSync(new URL('../../schema.graphql', import.meta.url), 'utf8'));

test.each(Object.entries(documents))('%s is valid in the schema', (_, text) => {
  expect(validate(schema, parse(text))).toEqual([]);
});
