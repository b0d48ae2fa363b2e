import { z } from 'zod';
import type { Config } from '../config.ts';
import { type CarillonError, badInput } from '../errors.ts';
import {
  type Json,
  type NotificationPriority,
  type NotificationType,
  notificationPriorities,
  notificationTypes,
} from './notification.ts';

/** Ids of tenants and users, as the contract has them. */
const MAX_ID_LENGTH = 128;

/** The channel of what goes to the inbox only. */
const IN_APP = 'IN_APP';

/** That come with a send. */
const MAX_ADDRESSES = 50;
/** A web push subscription is the longest. */
const MAX_ADDRESS_LENGTH = 4096;

/** PostgreSQL and JSON.stringify both recurse; nobody nests data this deep on purpose. */
const MAX_DATA_DEPTH = 64;

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/** A link to somewhere on the same site: one slash, then anything but a second one (browsers take `\` for one). */
const SITE_PATH = /^\/(?![/\\])/;

/** Control characters and spaces have no place in a link; browsers drop some of them, and that hides schemes. */
const UNSAFE_IN_LINK = /[\u0000-\u0020\u007f]/;

const isStorable = (text: string): boolean => !text.includes('\0') && text.isWellFormed();

/** Characters are Unicode code points: what a person would count, nearly, and what PostgreSQL counts. */
function countCharacters(text: string, most: number): number {
  if (text.length <= most) return text.length;
  let count = 0;
  for (const _ of text) count += 1;
  return count;
}

/** Text of 1 to `most` characters without NUL and lone surrogates. `least` 0 only describes; see the check. */
export function textRule(most: number, about: string) {
  return z
    .string()
    .superRefine((text, context) => {
      if (text.length === 0) context.addIssue({ code: 'custom', message: 'must not be empty' });
      else if (countCharacters(text, most) > most) {
        context.addIssue({ code: 'custom', message: `must be at most ${most} characters long` });
      } else if (!isStorable(text)) {
        context.addIssue({ code: 'custom', message: 'must not contain NUL or lone surrogates' });
      }
    })
    .meta({ minLength: 1, maxLength: most, description: about });
}

export const idRule = (about: string) => textRule(MAX_ID_LENGTH, about);

function linkRule(most: number) {
  return textRule(most, 'http, https, or a path of the same site that starts with a single slash.').refine(
    (link) => {
      if (UNSAFE_IN_LINK.test(link)) return false;
      if (SITE_PATH.test(link)) return true;
      return /^https?:\/\//i.test(link) && URL.canParse(link);
    },
    { message: 'must be an http or https address, or a path that starts with a single slash' },
  );
}

/** What is wrong with a JSON value, walked without recursion: a hostile one is nested deeper than any stack. */
function faultOfData(data: unknown, mostBytes: number): string | undefined {
  const left: { value: unknown; depth: number }[] = [{ value: data, depth: 1 }];
  for (let next = left.pop(); next; next = left.pop()) {
    const { value, depth } = next;
    if (typeof value === 'string' && !isStorable(value)) return 'must not contain NUL or lone surrogates';
    if (typeof value === 'number' && !Number.isFinite(value)) return 'must not contain numbers beyond double precision';
    if (typeof value !== 'object' || value === null) continue;
    if (depth > MAX_DATA_DEPTH) return `must not be nested more than ${MAX_DATA_DEPTH} deep`;
    for (const [key, inner] of Object.entries(value)) {
      if (!isStorable(key)) return 'must not contain NUL or lone surrogates';
      left.push({ value: inner, depth: depth + 1 });
    }
  }
  const bytes = Buffer.byteLength(JSON.stringify(data));
  return bytes > mostBytes ? `must be at most ${mostBytes} bytes of JSON` : undefined;
}

function dataRule(mostBytes: number) {
  return z
    .unknown()
    .superRefine((data, context) => {
      const fault = data === undefined ? undefined : faultOfData(data, mostBytes);
      if (fault) context.addIssue({ code: 'custom', message: fault });
    })
    .meta({ description: `Any JSON value of at most ${mostBytes} bytes.` });
}

function timeRule(about: string) {
  return z
    .date('must be a time')
    .refine((time) => time.getUTCFullYear() <= 9999, 'must be before the year 10000')
    .meta({ description: about });
}

export type Limits = Pick<
  Config,
  | 'maxTitleLength'
  | 'maxContentLength'
  | 'maxLinkLength'
  | 'maxDataBytes'
  | 'maxIdempotencyKeyLength'
  | 'maxBatchIds'
  | 'defaultPageSize'
  | 'maxPageSize'
>;

/** The rule of every field that a caller can give, whatever the door calls it. */
export function notificationFields(limits: Limits) {
  return {
    recipientId: idRule('Who gets it; oneself when absent.'),
    type: z.enum(notificationTypes),
    priority: z.enum(notificationPriorities),
    title: textRule(limits.maxTitleLength, 'One line.'),
    content: textRule(limits.maxContentLength, 'The text.'),
    link: linkRule(limits.maxLinkLength),
    data: dataRule(limits.maxDataBytes),
    relatedType: textRule(MAX_ID_LENGTH, 'The kind of thing that it is about.'),
    relatedId: textRule(MAX_ID_LENGTH, 'The thing that it is about.'),
    idempotencyKey: textRule(limits.maxIdempotencyKeyLength, 'Sending again with the same key sends nothing new.'),
    expiresAt: timeRule('When it leaves the inbox by itself; in the future.'),
    sendAt: timeRule('When to send it; in the future, at most a year ahead, before it expires.'),
    ids: z
      .array(z.string())
      .superRefine((ids, context) => {
        if (ids.length === 0) context.addIssue({ code: 'custom', message: 'must not be empty' });
        if (ids.length > limits.maxBatchIds) {
          context.addIssue({ code: 'custom', message: `must be at most ${limits.maxBatchIds} ids` });
        }
      })
      .meta({ minItems: 1, maxItems: limits.maxBatchIds }),
  };
}

export interface SendContent {
  readonly type: NotificationType;
  readonly priority: NotificationPriority;
  /** IN_APP, or the first of `channels`. */
  readonly channel: string;
  /** By which it goes out beside the inbox, each once. */
  readonly channels: readonly string[];
  /** In place of those that are kept of the recipient. */
  readonly addresses: readonly GivenAddress[];
  readonly title: string;
  readonly content: string;
  readonly link: string | null;
  readonly data: Json;
  readonly relatedType: string | null;
  readonly relatedId: string | null;
  readonly idempotencyKey: string | null;
  readonly expiresAt: Date | null;
  /** Absent from what is sent at once. */
  readonly sendAt: Date | null;
}

/** An address for one send. */
export interface GivenAddress {
  readonly channel: string;
  readonly address: string;
}

/** What a door hands to `send`: names as in GraphQL; `null` and absent mean the same. */
export interface SendInput {
  recipientId?: string | null | undefined;
  type?: string | null | undefined;
  title: string;
  content: string;
  link?: string | null | undefined;
  priority?: string | null | undefined;
  channel?: string | null | undefined;
  channels?: readonly string[] | null | undefined;
  addresses?: readonly GivenAddress[] | null | undefined;
  data?: unknown;
  relatedType?: string | null | undefined;
  relatedId?: string | null | undefined;
  idempotencyKey?: string | null | undefined;
  expiresAt?: Date | null | undefined;
  sendAt?: Date | null | undefined;
}

/** Checks by a rule. @throws CarillonError BAD_USER_INPUT that names the field. */
export function check<T>(rule: z.ZodType<T>, value: unknown, prefix = ''): T {
  const result = rule.safeParse(value, { reportInput: false });
  if (result.success) return result.data;
  const issue = result.error.issues[0] as z.core.$ZodIssue;
  const path = [prefix, ...issue.path.map(String)].filter(Boolean);
  const field = path[0] ?? 'input';
  const wrong =
    issue.code === 'invalid_type' ? `must be ${issue.expected === 'string' ? 'text' : issue.expected}` : issue.message;
  throw badInput(field, `${path.join('.') || field} ${lowerFirst(wrong)}`.replace(/\.?$/, '.'));
}

/** What is wrong with the times of a send, at this moment. */
export function faultOfTimes({
  expiresAt,
  sendAt,
}: Pick<SendContent, 'expiresAt' | 'sendAt'>): CarillonError | undefined {
  if (expiresAt === null && sendAt === null) return undefined;
  const now = Date.now();
  if (expiresAt !== null && expiresAt.getTime() <= now)
    return badInput('expiresAt', 'expiresAt must be in the future.');
  if (sendAt === null) return undefined;
  if (sendAt.getTime() <= now) return badInput('sendAt', 'sendAt must be in the future.');
  const inAYear = new Date(now);
  inAYear.setUTCFullYear(inAYear.getUTCFullYear() + 1);
  if (sendAt > inAYear) return badInput('sendAt', 'sendAt must be at most a year ahead.');
  if (expiresAt !== null && sendAt >= expiresAt) return badInput('sendAt', 'sendAt must lie before expiresAt.');
  return undefined;
}

const lowerFirst = (text: string): string => text.charAt(0).toLowerCase() + text.slice(1);

/** @param channelNames Those that a send may name, IN_APP among them. */
export function createRules(limits: Limits, channelNames: readonly string[]) {
  const fields = notificationFields(limits);
  const { ids, recipientId, ...content } = fields;
  const channel = z.enum(channelNames);
  const addresses = z
    .array(z.object({ channel, address: textRule(MAX_ADDRESS_LENGTH, 'Where to.') }))
    .max(MAX_ADDRESSES, `must be at most ${MAX_ADDRESSES} addresses`);
  const sendRule = z.object({
    ...content,
    recipientId: recipientId.nullish(),
    type: content.type.nullish().transform((type) => type ?? 'SYSTEM'),
    priority: content.priority.nullish().transform((priority) => priority ?? 'NORMAL'),
    channel: channel.nullish().transform((name) => name ?? IN_APP),
    channels: z
      .array(channel)
      .nullish()
      .transform((names) => names ?? []),
    addresses: addresses.nullish().transform((given) => given ?? []),
    link: content.link.nullish().transform((link) => link ?? null),
    data: content.data.optional().transform((data) => (data ?? null) as Json),
    relatedType: content.relatedType.nullish().transform((type) => type ?? null),
    relatedId: content.relatedId.nullish().transform((id) => id ?? null),
    idempotencyKey: content.idempotencyKey.nullish().transform((key) => key ?? null),
    expiresAt: content.expiresAt.nullish().transform((time) => time ?? null),
    sendAt: content.sendAt.nullish().transform((time) => time ?? null),
  });
  return {
    /** @throws CarillonError BAD_USER_INPUT that names the field. */
    send: (input: SendInput) => {
      const { channel: one, channels, ...sent } = check(sendRule, input);
      const outside = [...new Set([one, ...channels])].filter((name) => name !== IN_APP);
      return { ...sent, channel: outside[0] ?? IN_APP, channels: outside };
    },
    /**
     * The ids of a batch that could be ids at all, each once, in lower case. Others belong to nobody and change nothing.
     *
     * @throws CarillonError BAD_USER_INPUT when there are none, or too many.
     */
    ids: (list: readonly string[]): string[] => {
      const given = check(ids, list, 'ids');
      return [...new Set(given.filter((id) => UUID.test(id)).map((id) => id.toLowerCase()))];
    },
    /** The id in its stored spelling, or `undefined` for one that nothing can have. */
    id: (id: string): string | undefined => (UUID.test(id) ? id.toLowerCase() : undefined),
  };
}

export type Rules = ReturnType<typeof createRules>;
