import { NotificationAddedDocument } from '../../src/web/operations/generated.ts';
import { print } from 'graphql';
import type { GraphQLAnswer, Person, TestApp } from '../support/app.ts';
import { eventually } from '../support/eventually.ts';
import type { Sent } from './operations.ts';

export interface StreamEvent {
  event: string;
  result: { data?: { notificationAdded: Sent }; errors?: GraphQLAnswer['errors'] } | undefined;
}

export interface SubscribeOptions {
  after?: string | null;
  signal?: AbortSignal;
  headers?: Record<string, string>;
}

/** The answer to a subscription by POST, as soon as its headers are there. */
export function subscribeByPost(app: TestApp, who: Person, options: SubscribeOptions = {}): Promise<Response> {
  const { after = null, signal, headers = {} } = options;
  return fetch(app.graphqlUrl, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'text/event-stream',
      authorization: `Bearer ${who.token}`,
      ...headers,
    },
    body: JSON.stringify({ query: print(NotificationAddedDocument), variables: { after } }),
    ...(signal ? { signal } : {}),
  });
}

/** The events of a stream, without its comments. Leaving the loop closes the connection. */
export async function* eventsOf(response: Response): AsyncGenerator<StreamEvent> {
  if (!response.body) throw new Error('there is no body');
  let text = '';
  for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const blocks = text.split('\n\n');
    text = blocks.pop() ?? '';
    for (const block of blocks) {
      const event = /^event: (.*)$/m.exec(block)?.[1];
      const data = /^data: ?(.*)$/m.exec(block)?.[1];
      if (event !== undefined) yield { event, result: data ? JSON.parse(data) : undefined };
    }
  }
}

/** All events of a stream that ends by itself. */
export async function allEventsOf(response: Response): Promise<StreamEvent[]> {
  const events: StreamEvent[] = [];
  for await (const event of eventsOf(response)) events.push(event);
  return events;
}

export const titlesOf = (events: readonly StreamEvent[]): unknown[] =>
  events.map(({ result }) => result?.data?.notificationAdded.title);

/** Nobody listens and nothing is connected any more. */
export const isQuiet = (one: TestApp): Promise<boolean> =>
  eventually(() => one.app.context.hub.feedCount === 0 && one.app.doors.connections.size === 0);
