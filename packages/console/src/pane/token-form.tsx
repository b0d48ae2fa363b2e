import type { FormEvent } from 'react';
import { useMessages } from '../state/console.ts';
import { Field } from '../ui/field.tsx';

export interface TokenFormProps {
  fault: string | undefined;
  onSubmit: (token: string) => void;
}

export function TokenForm({ fault, onSubmit }: TokenFormProps) {
  const m = useMessages();
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    onSubmit(new FormData(event.currentTarget).get('token') as string);
  };
  return (
    <form className="fields one" onSubmit={submit}>
      <Field label={m.signIn.token} hint={m.signIn.tokenHint} fault={fault}>
        {(attributes) => (
          <textarea {...attributes} name="token" rows={3} required spellCheck={false} autoComplete="off" />
        )}
      </Field>
      <button type="submit" className="primary">
        {m.signIn.useToken}
      </button>
    </form>
  );
}
