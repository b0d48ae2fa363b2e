import { CarillonError } from '@carillon/client';
import { type FormEvent, useState } from 'react';
import { now } from '../log/frames.ts';
import { useConsole, useMessages } from '../state/console.ts';
import type { Desk } from '../state/pane.ts';
import type { User } from '../state/session.ts';
import { Field } from '../ui/field.tsx';
import { SendIcon } from '../ui/icons.tsx';
import { Segmented } from '../ui/segmented.tsx';
import { type Draft, emptyDraft, isJson, toInput } from './draft.ts';
import { MoreFields } from './more-fields.tsx';

type Outcome = { readonly done: string } | { readonly error: CarillonError } | null;

/** Sends a notification with everything that one can have. What is wrong is shown at its field. */
export function SendForm({ desk, other }: { desk: Desk; other: User | null }) {
  const { log } = useConsole();
  const { send: m } = useMessages();
  const [draft, setDraft] = useState<Draft>(emptyDraft);
  const [outcome, setOutcome] = useState<Outcome>(null);
  const [isMoreOpen, setMoreOpen] = useState(false);
  const change = (part: Partial<Draft>): void => {
    setDraft((last) => ({ ...last, ...part }));
    // What was wrong with it is of what stood there before.
    setOutcome((last) => (last && 'error' in last && (fieldOf(last.error) ?? '') in part ? null : last));
  };
  const sample = { title: m.sampleTitle(desk.user.username), content: m.sampleContent };
  const to = draft.to === 'other' && (other === null || other.id === desk.user.id) ? 'self' : draft.to;
  const recipient = { self: undefined, other: other?.id, id: draft.recipientId }[to];
  const name = { self: m.yourself, other: other?.username ?? '', id: draft.recipientId }[to];
  const faultOf = (field: string): string | undefined =>
    outcome && 'error' in outcome ? faults(outcome.error)[field] : undefined;

  const send = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    const pressedAt = now();
    try {
      if (!isJson(draft.data)) throw new CarillonError('BAD_USER_INPUT', m.dataFault, { field: 'data' });
      const sent = await desk.inbox.send(toInput(draft, recipient, sample));
      log.sent(sent.id, pressedAt);
      const ms = Math.round(now() - pressedAt);
      setOutcome({ done: sent.status === 'PENDING' && draft.sendAt !== '' ? m.scheduled : m.sent(name, ms) });
      await desk.apollo.refetchQueries({ include: 'active' });
    } catch (error) {
      if (!(error instanceof CarillonError)) throw error;
      setOutcome({ error });
      setMoreOpen((isOpen) => isOpen || MORE.has(fieldOf(error) ?? ''));
    }
  };

  return (
    <form className="send" onSubmit={(event) => void send(event)} noValidate>
      <div className="send-to">
        <span aria-hidden="true">{m.to}</span>
        <Segmented
          label={m.to}
          value={to}
          options={[
            ...(other && other.id !== desk.user.id ? [['other', other.username] as const] : []),
            ['self', m.self],
            ['id', m.other],
          ]}
          onChange={(chosen) => change({ to: chosen })}
        />
      </div>
      {to === 'id' && (
        <Field label={m.recipient} fault={faultOf('recipientId')}>
          {(attributes) => (
            <input
              {...attributes}
              value={draft.recipientId}
              onChange={({ target }) => change({ recipientId: target.value })}
            />
          )}
        </Field>
      )}
      <Field label={m.name} fault={faultOf('title')}>
        {(attributes) => (
          <input
            {...attributes}
            value={draft.title ?? sample.title}
            onChange={({ target }) => change({ title: target.value })}
          />
        )}
      </Field>
      <Field label={m.content} fault={faultOf('content')}>
        {(attributes) => (
          <textarea
            {...attributes}
            rows={2}
            value={draft.content ?? sample.content}
            onChange={({ target }) => change({ content: target.value })}
          />
        )}
      </Field>
      <MoreFields draft={draft} change={change} faultOf={faultOf} isOpen={isMoreOpen} onToggle={setMoreOpen} />
      <div className="send-end">
        <button type="submit" className="primary">
          <SendIcon />
          {m.submit}
        </button>
        <p role="status" className="quiet">
          {outcome && 'done' in outcome && outcome.done}
        </p>
        {outcome && 'error' in outcome && fieldOf(outcome.error) === undefined && (
          <p role="alert" className="fault">
            {outcome.error.message}
          </p>
        )}
      </div>
    </form>
  );
}

/** Those that `MoreFields` shows. */
const MORE = new Set([
  'type',
  'priority',
  'channels',
  'link',
  'data',
  'relatedType',
  'relatedId',
  'idempotencyKey',
  'expiresAt',
  'sendAt',
]);
const SHOWN = new Set([...MORE, 'title', 'content', 'recipientId']);

/** The field that an error is about. A conflict is about the key that was used for something else. */
function fieldOf({ code, field }: CarillonError): string | undefined {
  if (field !== undefined && SHOWN.has(field)) return field;
  return code === 'CONFLICT' ? 'idempotencyKey' : undefined;
}

const faults = (error: CarillonError): Record<string, string> => {
  const field = fieldOf(error);
  return field === undefined ? {} : { [field]: error.message };
};
