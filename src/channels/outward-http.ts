import { lookup as systemLookup } from 'node:dns';
import { Agent as HttpAgent, type IncomingMessage, request as requestHttp } from 'node:http';
import { Agent as HttpsAgent, request as requestHttps } from 'node:https';
import type { LookupFunction } from 'node:net';
import { DeliveryFailure } from '../services/channel.ts';
import { addressInUrl, createPublicLookup, isPublicAddress, PrivateAddressError } from './public-address.ts';

const MAX_URL_LENGTH = 2048; // characters

/** A far side may put off the next attempt by a day, not for good. */
const MAX_RETRY_AFTER_SECONDS = 86_400;

/** Statuses below 500 that may pass: a timeout, a conflict with another request, too early, too many. */
const PASSING = [408, 409, 425, 429];

export interface OutwardRequest {
  method: 'GET' | 'POST';
  url: string;
  headers?: Record<string, string>;
  body?: string | Buffer;
  signal: AbortSignal;
  /** At most so much of the answer's body is read; nothing by default. */
  mostBytes?: number;
}

export interface OutwardAnswer {
  status: number;
  retryAfterSeconds: number | undefined;
  body: string;
}

export interface OutwardHttpOptions {
  /** What the far side is called in what senders are told, as in "The webhook". */
  who: string;
  /** Whether requests may go anywhere, or to the open internet alone. */
  privateToo: boolean;
  lookup?: LookupFunction;
}

/**
 * One request, and its answer whatever the status. Redirects are not followed, proxies not used, and connections not kept.
 *
 * @throws DeliveryFailure when no answer came: one that may pass, or a permanent one when the address is not public. When
 * the signal ended it for another reason than the time, that reason.
 */
export type OutwardHttp = (request: OutwardRequest) => Promise<OutwardAnswer>;

export function createOutwardHttp({ who, privateToo, lookup = systemLookup }: OutwardHttpOptions): OutwardHttp {
  const guardedLookup = privateToo ? lookup : createPublicLookup(lookup);
  const http = { send: requestHttp, agent: new HttpAgent() };
  const https = { send: requestHttps, agent: new HttpsAgent() };

  async function attempt({ method, url, headers = {}, body, signal, mostBytes = 0 }: OutwardRequest) {
    const target = new URL(url);
    // An address is never looked up.
    const literal = addressInUrl(target);
    if (!privateToo && literal !== undefined && !isPublicAddress(literal)) throw new PrivateAddressError();
    const { send, agent } = target.protocol === 'https:' ? https : http;
    const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>();
    const request = send(target, {
      method,
      headers: { 'user-agent': 'Carillon', ...headers },
      agent,
      lookup: guardedLookup,
      signal,
    });
    request.on('response', resolve);
    request.on('error', reject);
    // What is no response, such as status 101, closes the request without an error.
    request.on('close', () => reject(new Error('closed without a response')));
    request.end(body);
    const response = await promise;
    return {
      status: response.statusCode!,
      retryAfterSeconds: parseRetryAfter(response.headers['retry-after']),
      body: await readAtMost(response, mostBytes),
    };
  }

  return async (request) => {
    try {
      return await attempt(request);
    } catch (error) {
      if (request.signal.aborted) throw endedBy(request.signal, who);
      if (error instanceof PrivateAddressError) {
        throw new DeliveryFailure(`${who} has an address that is not on the open internet.`, {
          permanent: true,
          cause: error,
        });
      }
      throw new DeliveryFailure(`${who} could not be reached.`, { cause: error });
    }
  };
}

/** What an attempt fails with that its signal ended: that its time was over, or else what the signal says. */
export function endedBy(signal: AbortSignal, who: string): unknown {
  const reason = signal.reason as { name?: string } | undefined;
  if (reason?.name !== 'TimeoutError') return reason;
  return new DeliveryFailure(`${who} did not answer in time.`, { cause: reason });
}

/** What an answer outside of 2xx means where nothing else is known about it. */
export function refusal(who: string, { status, retryAfterSeconds }: OutwardAnswer): DeliveryFailure {
  if (status >= 300 && status < 400) {
    return new DeliveryFailure(`${who} answered with a redirect (${status}), and redirects are not followed.`, {
      permanent: true,
    });
  }
  const permanent = status < 500 && !PASSING.includes(status);
  return new DeliveryFailure(
    `${who} answered with status ${status}.`,
    permanent ? { permanent } : { retryAfterSeconds },
  );
}

/**
 * The one spelling of an address that requests may go to. Where a name leads is seen only when it is called.
 *
 * @throws Error that says what is wrong, as in "must be …".
 */
export function outwardUrl(text: string, { privateToo }: { privateToo: boolean }): string {
  const schemes = privateToo ? ['https:', 'http:'] : ['https:'];
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !schemes.includes(url.protocol)) {
    throw new Error(`must be an address that starts with ${privateToo ? 'https:// or http://' : 'https://'}`);
  }
  if (url.username || url.password) throw new Error('must not contain a user name or password');
  const literal = addressInUrl(url);
  const isPrivate = literal === undefined ? /(^|\.)localhost\.?$/.test(url.hostname) : !isPublicAddress(literal);
  if (!privateToo && isPrivate) throw new Error('must be an address on the open internet');
  url.hash = '';
  if (url.href.length > MAX_URL_LENGTH) throw new Error(`must be at most ${MAX_URL_LENGTH} characters long`);
  return url.href;
}

/** Seconds of a Retry-After header, which holds seconds or a date (RFC 9110 section 10.2.3). */
function parseRetryAfter(header: string | undefined): number | undefined {
  if (header === undefined) return undefined;
  const seconds = /^\d+$/.test(header) ? Number(header) : Math.ceil((Date.parse(header) - Date.now()) / 1000);
  return Number.isNaN(seconds) ? undefined : Math.min(Math.max(seconds, 0), MAX_RETRY_AFTER_SECONDS);
}

async function readAtMost(response: IncomingMessage, mostBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  if (mostBytes > 0) {
    for await (const chunk of response as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      bytes += chunk.length;
      if (bytes >= mostBytes) break;
    }
  }
  response.destroy();
  return Buffer.concat(chunks).subarray(0, mostBytes).toString();
}
