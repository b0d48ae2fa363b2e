import type { Person, TestApp } from '../support/app.ts';

export interface Told {
  cursor: string;
  notificationId: string;
  recipientId: string;
  read: boolean;
  readAt: string | null;
}

export const RECEIPTS = `subscription Receipts($after: String) {
  receipts(after: $after) { cursor notificationId recipientId read readAt }
}`;

/** Before all receipts that a sender ever had. */
export const BEGINNING = '-----------0';

export async function receiptsCursor(app: TestApp, { token }: Person): Promise<string> {
  const { data, errors } = await app.graphql('{ receiptsCursor }', { token });
  if (errors) throw new Error(JSON.stringify(errors));
  return data.receiptsCursor;
}

const CHANGE = {
  read: 'mutation ($id: ID!) { markRead(id: $id) { id } }',
  unread: 'mutation ($id: ID!) { markUnread(id: $id) { id } }',
};

/** Marks one, as its recipient. */
export async function mark(app: TestApp, { token }: Person, id: string, as: keyof typeof CHANGE = 'read') {
  const { errors } = await app.graphql(CHANGE[as], { token, variables: { id } });
  if (errors) throw new Error(JSON.stringify(errors));
}
