import { readFile } from 'node:fs/promises';

/** A tab of GraphiQL: a document of several operations, and variables that serve all of them. */
export interface ExampleTab {
  readonly query: string;
  /** JSON; they are read by people, who fill in the rest. */
  readonly variables?: string;
}

const MINUTE_MS = 60_000;
const SEND_AHEAD_MS = 10 * MINUTE_MS;

/** What variables hold until somebody puts an id there: the words say which. */
const fromResult = (operation: string): string => `an id of ${operation}`;

/**
 * The variables of each file in `operations/examples`, in the order of the tabs. GraphiQL opens with an empty variables
 * editor whatever its first tab says, so that one has none.
 */
const examples: readonly { file: string; variablesAt?: (nowMs: number) => object }[] = [
  { file: 'inbox' },
  {
    file: 'mark-read',
    variablesAt: () => ({ id: fromResult('Inbox'), ids: [fromResult('Inbox')] }),
  },
  {
    file: 'send',
    variablesAt: () => ({
      toMyself: { title: 'Hello', content: 'It works.' },
      toSomebody: {
        recipientId: 'uma',
        type: 'TASK',
        priority: 'HIGH',
        title: 'Review the draft',
        content: 'Due on Friday.',
        link: '/tasks/7',
        data: { task: 7 },
      },
    }),
  },
  { file: 'live', variablesAt: () => ({ after: null }) },
  {
    file: 'sent',
    variablesAt: () => ({ after: null, id: fromResult('Sent'), ids: [fromResult('Sent')] }),
  },
  {
    file: 'scheduling',
    variablesAt: (nowMs) => ({
      input: {
        title: 'Stand up',
        content: 'You have been sitting for a while.',
        sendAt: new Date(nowMs + SEND_AHEAD_MS).toISOString(),
      },
      id: fromResult('Scheduled'),
    }),
  },
  {
    file: 'presence',
    variablesAt: () => ({ userIds: ['ada', 'sam', 'uma'], to: 'ada', conversation: 'lunch' }),
  },
  {
    file: 'contacts',
    variablesAt: () => ({ channel: 'WEBHOOK', address: 'https://example.com/carillon', id: fromResult('Contacts') }),
  },
  { file: 'admin' },
];

/**
 * What a first visit shows: an example of every query, mutation and subscription that there is, by what it is about. A
 * title of a tab is the name of its first operation.
 */
export async function readExamples(nowMs: number = Date.now()): Promise<ExampleTab[]> {
  return Promise.all(
    examples.map(async ({ file, variablesAt }) => {
      const query = await readFile(new URL(`./operations/examples/${file}.graphql`, import.meta.url), 'utf8');
      return variablesAt ? { query, variables: JSON.stringify(variablesAt(nowMs), undefined, 2) } : { query };
    }),
  );
}
