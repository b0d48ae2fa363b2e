import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type AuditResult, auditServer } from 'graphql-http';
import { type TestApp, startApp } from '../support/app.ts';

/** How many requirements the GraphQL over HTTP suite checks; a new version of it may know more. */
const AUDITS = 61;

let app: TestApp;

beforeAll(async () => {
  app = await startApp();
});

afterAll(async () => {
  await app[Symbol.asyncDispose]();
});

const wordsOf = (result: AuditResult): string =>
  result.status === 'ok' ? '' : `${result.status} ${result.id}: ${result.name} (${result.reason})`;

test('every requirement and every recommendation of the GraphQL over HTTP specification is met', async () => {
  const results = await auditServer({ url: app.graphqlUrl });

  expect(results.filter(({ status }) => status !== 'ok').map(wordsOf)).toEqual([]);
  expect(results).toHaveLength(AUDITS);
});
