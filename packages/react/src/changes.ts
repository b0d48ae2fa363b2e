import { CarillonError, type Inbox, type Notification } from '@carillon/client';
import type { FailureKind } from './messages.ts';

/** A change that was shown, and taken back. */
export interface Failure {
  readonly kind: FailureKind;
  readonly title: string;
  readonly isUnreachable: boolean;
  /** Makes the change once more. */
  readonly retry: () => void;
}

/** The changes that people make in the components, and which of them failed. */
export interface Changes {
  readonly markRead: (notification: Notification) => void;
  readonly markUnread: (notification: Notification) => void;
  readonly markAllRead: () => void;
  readonly delete: (notification: Notification) => void;
  readonly getFailures: () => readonly Failure[];
  readonly subscribe: (listener: () => void) => () => void;
  /** Forgets the failures. */
  readonly dismiss: () => void;
}

/** None of its methods throws or rejects: what fails is among the failures, until it is done or dismissed. */
export function createChanges(inbox: Inbox): Changes {
  let failures: readonly Failure[] = [];
  const listeners = new Set<() => void>();
  const set = (next: readonly Failure[]): void => {
    failures = next;
    for (const listener of listeners) listener();
  };
  const attempt = (kind: FailureKind, title: string, change: () => Promise<void>): void => {
    change().catch((error: unknown) => {
      const code = error instanceof CarillonError ? error.code : undefined;
      // It is gone already, on another device: nothing is left to be done.
      if (code === 'NOT_FOUND') return;
      const retry = (): void => attempt(kind, title, change);
      set([...failures, { kind, title, isUnreachable: code === 'UNREACHABLE', retry }]);
    });
  };
  return {
    markRead: ({ id, title }) => attempt('markRead', title, () => inbox.markRead(id)),
    markUnread: ({ id, title }) => attempt('markUnread', title, () => inbox.markUnread(id)),
    markAllRead: () => attempt('markAllRead', '', () => inbox.markAllRead()),
    delete: ({ id, title }) => attempt('delete', title, () => inbox.delete(id)),
    getFailures: () => failures,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    dismiss: () => set([]),
  };
}
