export interface DeliveryShape {
  channel: string;
  status: string;
  attempts: number;
  lastError: string | null;
  lastAttemptAt: string | null;
  nextAttemptAt: string | null;
}

const DELIVERIES = 'deliveries { channel status attempts lastError lastAttemptAt nextAttemptAt }';

/** Asks a server by GraphQL, as somebody. */
export function clientOf(url: string, { token }: { token: string }) {
  async function ask<T>(query: string, variables: object = {}): Promise<T> {
    const response = await fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${token}` },
      body: JSON.stringify({ query, variables }),
    });
    const { data, errors } = (await response.json()) as { data: T; errors?: { message: string; extensions: object }[] };
    if (errors) throw Object.assign(new Error(errors[0]?.message), { extensions: errors[0]?.extensions });
    return data;
  }
  return {
    ask,
    async send(input: object): Promise<string> {
      const query = 'mutation ($input: SendInput!) { send(input: $input) { id } }';
      const { send } = await ask<{ send: { id: string } }>(query, {
        input: { title: 'Title', content: 'Content', ...input },
      });
      return send.id;
    },
    async addContact(channel: string, address: string, userId?: string) {
      const query = `mutation ($channel: NotificationChannel!, $address: String!, $userId: ID) {
        addContact(channel: $channel, address: $address, userId: $userId) { secret contact { id userId channel address } }
      }`;
      const { addContact } = await ask<{
        addContact: {
          secret: string | null;
          contact: { id: string; userId: string | null; channel: string; address: string };
        };
      }>(query, { channel, address, userId });
      return addContact;
    },
    /** As the recipient sees them, by channel. */
    async deliveries(id: string): Promise<DeliveryShape[]> {
      const { notification } = await ask<{ notification: { deliveries: DeliveryShape[] } | null }>(
        `query ($id: ID!) { notification(id: $id) { ${DELIVERIES} } }`,
        { id },
      );
      return (notification?.deliveries ?? []).toSorted((a, b) => (a.channel < b.channel ? -1 : 1));
    },
  };
}

export type Client = ReturnType<typeof clientOf>;
