import { now } from '../log/frames.ts';

interface Message {
  readonly type?: string;
  readonly id?: string;
  readonly payload?: { readonly query?: string; readonly data?: Record<string, unknown> | null };
  readonly notification?: { readonly id: string; readonly created_at: string };
}

/** What a frame is, and how long it was waited for. */
export interface Reading {
  readonly type: string;
  readonly latencyMs?: number | undefined;
  readonly pushed?: { readonly id: string; readonly createdAt: string } | undefined;
}

interface Added {
  readonly notification?: { readonly id: string; readonly createdAt: string };
  readonly __typename?: string;
}

const ROOT_FIELD = /\{\s*(\w+)/;

/** Reads the frames of one socket, of either kind, and matches answers with what they answer. */
export class SocketTracker {
  readonly #asked = new Map<string, number>();
  readonly #names = new Map<string, string>();

  constructor() {
    this.#asked.set('welcome', now());
  }

  sent(text: string): Reading {
    const message = parse(text);
    const { type = '?', id } = message;
    if (type === 'connection_init') this.#asked.set('connection_ack', now());
    if (type === 'ping') this.#asked.set('pong', now());
    if (type !== 'subscribe' || id === undefined) return { type };
    this.#asked.set(id, now());
    const name = ROOT_FIELD.exec(message.payload?.query ?? '')?.[1] ?? '';
    this.#names.set(id, name);
    return { type: `subscribe ${name}` };
  }

  received(text: string): Reading {
    const { type = '?', id, payload, notification } = parse(text);
    const asked = this.#asked.get(id ?? type);
    this.#asked.delete(id ?? type);
    const latencyMs = asked === undefined ? undefined : now() - asked;
    if (notification && type === 'notification') {
      return { type, pushed: { id: notification.id, createdAt: notification.created_at } };
    }
    if (id === undefined) return { type, latencyMs };
    const event = payload?.data?.['inboxChanged'] as Added | undefined;
    if (event?.__typename === 'NotificationAdded' && event.notification) {
      return { type: 'next NotificationAdded', pushed: event.notification };
    }
    return { type: `${type} ${event?.__typename ?? this.#names.get(id) ?? ''}`.trim(), latencyMs };
  }
}

function parse(text: string): Message {
  try {
    return JSON.parse(text) as Message;
  } catch {
    return {};
  }
}
