import type { Inbox } from '../torture/population.ts';
import type { Act, Town } from './town.ts';

const SEND = 'mutation ($input: SendInput!) { send(input: $input) { id } }';

const WITH_KEY = 0.5;
const EXPIRING = 0.3;
const SCHEDULED = 0.1;
const LONG = 0.05;
const TYPES = ['SYSTEM', 'APPROVAL', 'TASK', 'MESSAGE', 'ALERT'] as const;
const PRIORITIES = ['LOW', 'NORMAL', 'HIGH', 'URGENT'] as const;

const inSeconds = (seconds: number): string => new Date(Date.now() + seconds * 1000).toISOString();

let keys = 0;

/** Fields that both doors spell alike, and those that they do not. */
function contentOf({ random }: Town) {
  keys += 1;
  return {
    content: {
      title: `Notification ${keys}`,
      content: random.chance(LONG) ? '語'.repeat(random.integer(100, 3000)) : 'What it says',
      data: { number: keys },
    },
    type: random.pick(TYPES),
    priority: random.pick(PRIORITIES),
    key: random.chance(WITH_KEY) ? `key-${keys}` : undefined,
    sendAt: random.chance(SCHEDULED) ? inSeconds(random.between(2, 15)) : undefined,
    expiresAt: random.chance(EXPIRING) ? inSeconds(random.between(20, 90)) : undefined,
  };
}

/** A send over GraphQL; one with a key is made twice at once now and then. */
export const sendGraphQL: Act = async (town) => {
  const recipient = town.anybody();
  const sender = town.neighbourOf(recipient);
  const { content, key, ...rest } = contentOf(town);
  const input = { ...content, ...rest, recipientId: recipient.userId, idempotencyKey: key };
  const send = (): Promise<{ send: { id: string } } | undefined> => town.ask(sender, SEND, { variables: { input } });
  const answers = await Promise.all(key !== undefined && town.random.chance(0.1) ? [send(), send()] : [send()]);
  const ids = new Set(answers.flatMap((answer) => (answer ? [answer.send.id] : [])));
  if (ids.size > 1) town.surprise('one key, two notifications');
  for (const id of ids) {
    town.arrivals.acknowledge(id, recipient.name);
    town.learn(recipient, id);
  }
};

/** A send to an inbox that nothing is done with. */
export async function greet(town: Town, recipient: Inbox): Promise<void> {
  const input = { title: 'Hello', content: 'Is anybody there?', recipientId: recipient.userId };
  const answer = await town.ask<{ send: { id: string } }>(recipient, SEND, { variables: { input } });
  if (answer) town.arrivals.acknowledge(answer.send.id, recipient.name);
}

export const sendRest: Act = async (town) => {
  const recipient = town.anybody();
  const { content, key, type, priority, sendAt, expiresAt } = contentOf(town);
  const { status, body } = await town.rest({
    method: 'POST',
    path: '/api/v1/notifications',
    token: town.neighbourOf(recipient).token,
    headers: key === undefined ? {} : { 'idempotency-key': key },
    body: {
      ...content,
      type: type.toLowerCase(),
      priority: priority.toLowerCase(),
      user_id: recipient.userId,
      send_at: sendAt,
      expires_at: expiresAt,
    },
  });
  if (status !== 200) return;
  const { id } = body as { id: string };
  town.arrivals.acknowledge(id, recipient.name);
  town.learn(recipient, id);
};

/** A send that goes out of the house as well, to the webhook of the tenant. */
export const sendOutside: Act = async (town) => {
  const recipient = town.anybody();
  const { content } = contentOf(town);
  const input = { ...content, recipientId: recipient.userId, channels: ['WEBHOOK'] };
  const answer = await town.ask<{ send: { id: string } }>(town.neighbourOf(recipient), SEND, { variables: { input } });
  if (answer) town.arrivals.acknowledge(answer.send.id, recipient.name);
};
