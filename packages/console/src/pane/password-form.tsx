import type { FormEvent } from 'react';
import { useMessages } from '../state/console.ts';
import type { Credentials } from '../state/session.ts';
import { Field } from '../ui/field.tsx';

export function PasswordForm({ onSubmit }: { onSubmit: (credentials: Credentials) => void }) {
  const m = useMessages();
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const values = new FormData(event.currentTarget);
    const text = (name: string): string => values.get(name) as string;
    onSubmit({ username: text('username'), password: text('password'), tenant: text('tenant').trim() });
  };
  return (
    <form className="fields" onSubmit={submit}>
      <Field label={m.signIn.username}>
        {(attributes) => <input {...attributes} name="username" autoComplete="username" required />}
      </Field>
      <Field label={m.signIn.password}>
        {(attributes) => (
          <input {...attributes} name="password" type="password" autoComplete="current-password" required />
        )}
      </Field>
      <Field label={`${m.signIn.tenant} (${m.signIn.optional})`}>
        {(attributes) => <input {...attributes} name="tenant" autoComplete="organization" />}
      </Field>
      <button type="submit" className="primary">
        {m.signIn.submit}
      </button>
    </form>
  );
}
