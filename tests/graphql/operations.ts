import { expect } from '@jest/globals';
import { print } from 'graphql';
import type { TypedDocumentNode } from '@graphql-typed-document-node/core';
import type { NotificationFieldsFragment, SendInput } from '../../src/web/operations/generated.ts';
import * as documents from '../../src/web/operations/generated.ts';
import type { GraphQLAnswer, Person, TestApp } from '../support/app.ts';

export type Sent = NotificationFieldsFragment;

/** Runs a typed document and answers with whatever came back. */
export const ask = <Data, Variables>(
  app: TestApp,
  who: Person | undefined,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<GraphQLAnswer> => app.graphql(print(document), { token: who?.token, variables });

/** Runs a typed document that must succeed, and answers with its data. */
export async function run<Data, Variables>(
  app: TestApp,
  who: Person,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const { data, errors } = await ask(app, who, document, variables);
  if (errors) throw new Error(JSON.stringify(errors));
  return data as Data;
}

export async function send(app: TestApp, who: Person, input: Partial<SendInput> = {}): Promise<Sent> {
  const full = { title: 'A title', content: 'Some content', ...input };
  return (await run(app, who, documents.SendDocument, { input: full })).send;
}

/** Sends to oneself, one after the other, so that their order is certain; answers oldest first. */
export async function sendMany(app: TestApp, who: Person, count: number, input: Partial<SendInput> = {}) {
  const sent: Sent[] = [];
  for (let n = 1; n <= count; n += 1) sent.push(await send(app, who, { title: `No. ${n}`, ...input }));
  return sent;
}

/** Both counts of the whole inbox, by both ways there are to ask. */
export async function counts(app: TestApp, who: Person): Promise<{ total: number; unread: number }> {
  const { notifications } = await run(app, who, documents.NotificationsDocument, { first: 1 });
  const { unreadCount } = await run(app, who, documents.UnreadCountDocument, {});
  if (unreadCount !== notifications.unreadCount) throw new Error('the two unread counts differ');
  return { total: notifications.totalCount, unread: unreadCount };
}

/** No status of a server's failure, and nothing of its insides. */
export function expectClean(answer: GraphQLAnswer): void {
  expect(answer.status).toBeLessThan(500);
  expect(JSON.stringify(answer.errors)).not.toMatch(/select |insert |postgres|node_modules|\/src\/|\.ts\b|at \w+ \(/i);
}

/** Code and field of the only error of an answer. */
export function refusalOf({ errors }: GraphQLAnswer): { code: unknown; field?: unknown } {
  if (errors?.length !== 1) throw new Error(`one error was expected: ${JSON.stringify(errors)}`);
  const { code, field } = errors[0]?.extensions ?? {};
  return field === undefined ? { code } : { code, field };
}

/** The refusal of an input field. */
export const badInput = (field: string) => ({ code: 'BAD_USER_INPUT', field });
