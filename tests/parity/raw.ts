import { rawRequest } from '../rest/raw-request.ts';
import type { Carrier, Heard, Verdict } from './input.ts';
import { mallory } from './stage.ts';
import { heardGraphQL, heardRest } from './wire.ts';

/** A request as it goes over the wire. */
export interface Sent {
  method?: string;
  path?: string;
  /** Beside the token and the media type. */
  headers?: readonly string[];
  body?: string | Buffer;
  /** Whether the length is told, as it is. */
  hasLength?: boolean;
  /** Whether the token and the media type are told. */
  isPlain?: boolean;
  /** Whether the client closes its side after the body. */
  end?: boolean;
}

/** What is no answer of the door itself is answered for all of them in REST's words. */
function heardRaw(status: number, type: string, text: string): Heard {
  if (text.startsWith('{"code":')) return heardRest({ status, type, text: `\n${text}` });
  const heard = heardGraphQL({ status, type, text: `\n${text}` });
  return status >= 500 ? { ...heard, verdict: `${status}` as Verdict } : heard;
}

/** Sends what no client library sends, and closes. */
export function raw(defaults: Sent, sent: Sent): Carrier {
  const {
    method = 'POST',
    path = '/',
    headers = [],
    body = '',
    hasLength = true,
    isPlain = false,
    end = false,
  } = {
    ...defaults,
    ...sent,
  };
  const lines = [
    ...(isPlain ? [] : [`Authorization: Bearer ${mallory.token}`, 'Content-Type: application/json']),
    ...(hasLength ? [`Content-Length: ${Buffer.byteLength(body)}`] : []),
    ...headers,
  ];
  return async ({ app }) => {
    const answer = await rawRequest(app.url, { method, path, headers: lines, body, end });
    const all = [...answer.headers].map((one) => one.join(': ')).join('\n');
    const heard = heardRaw(answer.status, answer.headers.get('content-type') ?? '', answer.text);
    return { ...heard, text: `${answer.status}\n${all}\n${heard.text}` };
  };
}
