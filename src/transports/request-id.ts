import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type LogScope, currentLogScope } from '../logger.ts';
import type { Caller } from '../services/caller.ts';

/** Printable ASCII, so that it can be sent back and written down as it is. */
const SANE = /^[\x20-\x7e]{1,128}$/;

/** By what a request is found in the log: its `X-Request-Id`, as a proxy or a client gave it, or else a new one. */
export function requestIdOf({ headers }: IncomingMessage): string {
  const given = headers['x-request-id'];
  return typeof given === 'string' && SANE.test(given) ? given : randomUUID();
}

/** Who is calling is known from here on. */
export function identify({ tenantId, userId }: Caller): void {
  const scope = currentLogScope();
  if (!scope) return;
  scope.tenantId = tenantId;
  scope.userId = userId;
}

/** The scope of what one socket does; of a GraphQL socket that has not said who it is, without a caller. */
export const socketScope = (door: string, requestId: string, caller: Caller | undefined): LogScope =>
  caller ? { requestId, door, tenantId: caller.tenantId, userId: caller.userId } : { requestId, door };
