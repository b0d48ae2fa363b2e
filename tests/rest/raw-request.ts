import { once } from 'node:events';
import { connect } from 'node:net';

export interface RawAnswer {
  status: number;
  /** Names in lower case. */
  headers: Map<string, string>;
  text: string;
}

export interface RawRequest {
  method?: string;
  path: string;
  /** As written on the wire, repetitions and all. */
  headers?: readonly string[];
  body?: string | Buffer;
  /** Whether to close the sending side after the body. */
  end?: boolean;
}

/** Sends what `fetch` would refuse to send, and answers with what came until the server closed. */
export async function rawRequest(url: string, request: RawRequest): Promise<RawAnswer> {
  const { method = 'GET', path, headers = [], body = '', end = false } = request;
  const { port, hostname } = new URL(url);
  const socket = connect(Number(port), hostname);
  const received: Buffer[] = [];
  socket.on('data', (chunk) => received.push(chunk));
  const closed = once(socket, 'close');
  socket.write([`${method} ${path} HTTP/1.1`, 'Host: localhost', 'Connection: close', ...headers, '', ''].join('\r\n'));
  socket.write(body);
  if (end) socket.end();
  await closed;
  return parseAnswer(Buffer.concat(received).toString());
}

function parseAnswer(answer: string): RawAnswer {
  const [head = '', ...rest] = answer.split('\r\n\r\n');
  const [statusLine = '', ...lines] = head.split('\r\n');
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(statusLine.split(' ')[1]), headers: new Map(headers), text: rest.join('\r\n\r\n') };
}
