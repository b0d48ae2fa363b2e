import { type Agent, type IncomingMessage, request as httpRequest } from 'node:http';
import { errorKinds } from '../../src/errors.ts';
import type { Message } from '../support/socket-client.ts';
import type { Heard, Verdict } from './input.ts';

export interface Request {
  method?: string;
  path: string;
  headers?: Record<string, string>;
  body?: string | Buffer | undefined;
}

export interface Answer {
  status: number;
  type: string;
  text: string;
}

const head = ({ statusCode, rawHeaders }: IncomingMessage): string => `${statusCode} ${rawHeaders.join(' ')}\n`;

/** One request and its answer. Of an event stream no more than the first event is waited for. */
export function exchange(agent: Agent, url: string, { method = 'GET', path, headers, body }: Request): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const request = httpRequest({ agent, hostname, port, method, path, headers: { ...headers } }, (response) => {
      const type = response.headers['content-type'] ?? '';
      let text = '';
      const done = (): void => resolve({ status: response.statusCode ?? 0, type, text: head(response) + text });
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
        if (!type.startsWith('text/event-stream') || !/^data: ?./m.test(text)) return;
        done();
        response.destroy();
      });
      response.on('end', done);
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

interface Refusals {
  errors?: { message: string; extensions?: { code?: string; field?: string } }[];
  data?: unknown;
}

/** The verdict of a GraphQL result. What was asked for by its id and is not there is null, by the schema. */
export function graphqlVerdict(result: Refusals): Pick<Heard, 'verdict' | 'field'> {
  const { code, field } = result.errors?.[0]?.extensions ?? {};
  if (result.errors) return { verdict: (code ?? 'INTERNAL_SERVER_ERROR') as Verdict, field };
  const data = result.data as { notification?: unknown } | undefined;
  return { verdict: data && data.notification === null ? 'NOT_FOUND' : 'OK' };
}

export function heardGraphQL({ status, type, text }: Answer): Heard {
  const body = text.slice(text.indexOf('\n') + 1);
  if (type.startsWith('text/event-stream')) {
    const result = JSON.parse(/^data: ?(.+)$/m.exec(body)?.[1] ?? '{}') as Refusals;
    return { ...graphqlVerdict(result), text };
  }
  if (!/json/.test(type)) return { verdict: status === 200 ? 'OK' : `${status}`, text };
  return { ...graphqlVerdict(JSON.parse(body) as Refusals), text };
}

/** A refusal must have the body and the status of its kind: without them only its status counts. */
export function heardRest({ status, type, text }: Answer): Heard {
  if (status === 200) return { verdict: 'OK', text };
  const body = text.slice(text.indexOf('\n') + 1);
  const { code, reason, message, metadata } = type.startsWith('application/json')
    ? (JSON.parse(body) as Record<string, unknown>)
    : {};
  const kind = errorKinds[reason as keyof typeof errorKinds];
  if (code !== status || kind?.http !== status || typeof message !== 'string') return { verdict: `${status}`, text };
  return { verdict: reason as Verdict, field: (metadata as { field?: string }).field, text };
}

export const heardError = ({ code, message }: Message): Heard => ({ verdict: code as Verdict, text: String(message) });
