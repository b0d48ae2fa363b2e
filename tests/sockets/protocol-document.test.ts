import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { CloseCode, MessageType } from 'graphql-ws';
import { loadConfig } from '../../src/config.ts';
import { closeCodes } from '../../src/errors.ts';
import { notificationPriorities, notificationTypes } from '../../src/services/notification.ts';
import {
  type ServerMessages,
  errorMessage,
  eventMessage,
  parseClientMessage,
} from '../../src/transports/legacy-socket/messages.ts';

const root = join(import.meta.dirname, '../..');
const text = readFileSync(join(root, 'PROTOCOL.md'), 'utf8');

/** The text under a heading, up to the next one of its level. */
function section(heading: string): string {
  const level = /^#+/.exec(heading)?.[0] ?? '';
  const [, ...parts] = text.split(`\n${heading}\n`);
  const [own = ''] = (parts[0] ?? '').split(new RegExp(`\\n#{1,${level.length}} `));
  if (own.trim() === '') throw new Error(`PROTOCOL.md has nothing under ${heading}`);
  return own;
}

/** The first cells of a section's table rows, without back-ticks. */
const firstCells = (part: string): string[] =>
  [...part.matchAll(/^\| ([^|]+) \|/gm)].flatMap(([, cell = '']) => cell.replaceAll('`', '').split(', '));

/** Codes of graphql-ws that its client closes with, and its server never. */
const CLIENT_CODES: number[] = [
  CloseCode.InternalClientError,
  CloseCode.BadResponse,
  CloseCode.ConnectionAcknowledgementTimeout,
];
/** Of an adapter that is not used here. */
const UNUSED_CODES: number[] = [CloseCode.InternalServerError];

/** Every message of the server; the compiler sees to it that none is left out. */
const serverMessages: Record<keyof ServerMessages, true> = {
  welcome: true,
  notification: true,
  read: true,
  unread: true,
  deleted: true,
  recalled: true,
  typing: true,
  pong: true,
  error: true,
};

/** What some message of the client needs; others pass it over. */
const anyFields = { notification_ids: [], to: 'a', conversation_id: 'b', typing: true };

describe('PROTOCOL.md', () => {
  test('names every close code', () => {
    const ofGraphQL = Object.values(CloseCode).filter((code): code is CloseCode => typeof code === 'number');
    const sent = [...Object.values(closeCodes), ...ofGraphQL].filter(
      (code) => !CLIENT_CODES.includes(code) && !UNUSED_CODES.includes(code),
    );
    const cells = firstCells(section('## Close codes'));
    expect(sent.filter((code) => !cells.includes(String(code)))).toEqual([]);
  });

  test('names every message of the legacy socket, and no other', () => {
    const fromServer = firstCells(section('### From the server').split('\nA pushed')[0] ?? '');
    expect(fromServer).toEqual(['type', ...Object.keys(serverMessages)]);
    const [header, ...fromClient] = firstCells(section('### From the client'));
    expect(header).toBe('type');
    const understood = fromClient.map((type) => parseClientMessage(JSON.stringify({ ...anyFields, type })).type);
    expect(understood).toEqual(fromClient);
    expect(() => parseClientMessage('{}')).toThrow(
      `type must be ${fromClient.map((type) => `"${type}"`).join(' or ')}.`,
    );
  });

  test('names every field of a pushed notification', () => {
    const pushed = JSON.parse(
      eventMessage({
        kind: 'added',
        epoch: '',
        version: 1,
        previousVersion: 0,
        unreadCount: 1,
        totalCount: 1,
        notification: {
          id: '',
          cursor: '',
          changeCursor: '',
          tenantId: '',
          recipientId: '',
          senderId: null,
          type: 'SYSTEM',
          priority: 'LOW',
          channel: 'IN_APP',
          status: 'SENT',
          title: '',
          content: '',
          link: null,
          data: null,
          relatedType: null,
          relatedId: null,
          readAt: null,
          createdAt: new Date(),
          expiresAt: null,
          sendAt: null,
        },
      }),
    ) as { notification: object };
    const [, table = ''] = section('### From the server').split('\nA pushed');
    expect(firstCells(table)).toEqual(['field', ...Object.keys(pushed.notification)]);
    for (const value of [...notificationTypes, ...notificationPriorities]) {
      expect(table).toContain(`\`${value.toLowerCase()}\``);
    }
    expect(Object.keys(JSON.parse(errorMessage({ code: 'FORBIDDEN', message: '' })) as object)).toEqual([
      'type',
      'code',
      'message',
      'timestamp',
    ]);
  });

  test('names every message of graphql-transport-ws', () => {
    const cells = firstCells(section('## graphql-transport-ws'));
    expect(Object.values(MessageType).filter((type) => !cells.includes(type))).toEqual([]);
  });

  test('gives each limit its setting and its default', () => {
    const config = loadConfig({}) as unknown as Record<string, unknown>;
    const units: Record<string, number> = { s: 1000 };
    const rows = [...section('## Limits').matchAll(/^\| [^|]+ \| ([\d,]+)(?: (s))? \| `([A-Z_]+)` \|$/gm)];
    expect(rows).toHaveLength(12);
    for (const [, value = '', unit = '', variable = ''] of rows) {
      const key = variable.toLowerCase().replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      expect([variable, Number(value.replaceAll(',', '')) * (units[unit] ?? 1)]).toEqual([variable, config[key]]);
    }
  });
});
