import type { NotificationChannel, NotificationPriority, NotificationType } from '@carillon/client';
import { useMessages } from '../state/console.ts';
import { Field } from '../ui/field.tsx';
import { type Draft, isJson } from './draft.ts';

export interface MoreFieldsProps {
  draft: Draft;
  change: (part: Partial<Draft>) => void;
  faultOf: (field: string) => string | undefined;
  isOpen: boolean;
  onToggle: (isOpen: boolean) => void;
}

const TYPES: readonly NotificationType[] = ['MESSAGE', 'TASK', 'APPROVAL', 'ALERT', 'SYSTEM'];
const PRIORITIES: readonly NotificationPriority[] = ['LOW', 'NORMAL', 'HIGH', 'URGENT'];
const CHANNELS: readonly NotificationChannel[] = ['EMAIL', 'SMS', 'WEBHOOK', 'WEB_PUSH'];

/** What a notification can have beside a title and a content. */
export function MoreFields({ draft, change, faultOf, isOpen, onToggle }: MoreFieldsProps) {
  const { send: m } = useMessages();
  const text = (
    field: 'link' | 'relatedType' | 'relatedId' | 'idempotencyKey' | 'expiresAt' | 'sendAt',
    label: string,
    { hint, type = 'text' }: { hint?: string; type?: string } = {},
  ) => (
    <Field label={label} hint={hint} fault={faultOf(field)}>
      {(attributes) => (
        <input
          {...attributes}
          type={type}
          value={draft[field]}
          onChange={({ target }) => change({ [field]: target.value })}
        />
      )}
    </Field>
  );
  const isMissing = (channel: NotificationChannel): boolean => !draft.channels.includes(channel);
  return (
    <details className="more" open={isOpen} onToggle={(event) => onToggle(event.currentTarget.open)}>
      <summary>{m.more}</summary>
      <div className="fields">
        <Field label={m.type}>
          {(attributes) => (
            <select
              {...attributes}
              value={draft.type}
              onChange={({ target }) => change({ type: target.value as NotificationType })}
            >
              {TYPES.map((type) => (
                <option key={type} value={type}>
                  {m.types[type]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Field label={m.priority}>
          {(attributes) => (
            <select
              {...attributes}
              value={draft.priority}
              onChange={({ target }) => change({ priority: target.value as NotificationPriority })}
            >
              {PRIORITIES.map((priority) => (
                <option key={priority} value={priority}>
                  {m.priorities[priority]}
                </option>
              ))}
            </select>
          )}
        </Field>
        <fieldset className="channels wide">
          <legend>{m.channels}</legend>
          {CHANNELS.map((channel) => (
            <label key={channel} className="check">
              <input
                type="checkbox"
                checked={!isMissing(channel)}
                onChange={() =>
                  change({
                    channels: isMissing(channel)
                      ? [...draft.channels, channel]
                      : draft.channels.filter((each) => each !== channel),
                  })
                }
              />
              {m.channelNames[channel]}
            </label>
          ))}
          {faultOf('channels') !== undefined && <p className="fault">{faultOf('channels')}</p>}
        </fieldset>
        {text('link', m.link, { hint: m.linkHint })}
        {text('idempotencyKey', m.key, { hint: m.keyHint })}
        {text('relatedType', m.relatedType)}
        {text('relatedId', m.relatedId)}
        {text('sendAt', m.sendAt, { type: 'datetime-local' })}
        {text('expiresAt', m.expiresAt, { type: 'datetime-local' })}
        <Field className="wide" label={m.data} fault={isJson(draft.data) ? faultOf('data') : m.dataFault}>
          {(attributes) => (
            <textarea
              {...attributes}
              className="code"
              rows={3}
              spellCheck={false}
              value={draft.data}
              onChange={({ target }) => change({ data: target.value })}
            />
          )}
        </Field>
      </div>
    </details>
  );
}
