import type { CarillonError } from '@carillon/client';
import { useState } from 'react';
import { useMessages } from '../state/console.ts';
import type { DemoUser, ServerInfo } from '../state/server-info.ts';
import type { Credentials, Session } from '../state/session.ts';
import { useStore } from '../state/store.ts';
import { Segmented } from '../ui/segmented.tsx';
import { Avatar } from './avatar.tsx';
import { PasswordForm } from './password-form.tsx';
import { TokenForm } from './token-form.tsx';

export interface SignInProps {
  session: Session;
  demo: ServerInfo['demo'];
}

export function SignIn({ session, demo }: SignInProps) {
  const m = useMessages();
  const state = useStore(session.state);
  const [way, setWay] = useState<'password' | 'token'>('password');
  const [keep, setKeep] = useState(false);
  const [fault, setFault] = useState<CarillonError | null>(null);
  const attempt = async (action: () => Promise<void> | void): Promise<void> => {
    setFault(null);
    try {
      await action();
    } catch (error) {
      setFault(error as CarillonError);
    }
  };
  const login = (credentials: Credentials): Promise<void> => attempt(() => session.login(credentials, keep));
  return (
    <div className="sign-in">
      <h2>{m.signIn.title}</h2>
      {state.user === null && state.ended && (
        <p className="notice" role="status">
          {m.signIn.ended}
        </p>
      )}
      {demo && (
        <>
          <p className="quiet">{m.signIn.asDemo}</p>
          <div className="demo-users">
            {demo.users.map((user) => (
              <DemoButton
                key={user.username}
                user={user}
                onPress={() => void login({ username: user.username, password: demo.password, tenant: demo.tenant })}
              />
            ))}
          </div>
          <p className="or">{m.signIn.or}</p>
        </>
      )}
      <Segmented
        label={m.signIn.how}
        value={way}
        options={[
          ['password', m.signIn.withPassword],
          ['token', m.signIn.withToken],
        ]}
        onChange={setWay}
      />
      {way === 'password' ? (
        <PasswordForm onSubmit={(credentials) => void login(credentials)} />
      ) : (
        <TokenForm
          fault={fault?.field === 'token' ? fault.message : undefined}
          onSubmit={(token) => void attempt(() => session.paste(token, keep))}
        />
      )}
      <label className="check">
        <input type="checkbox" checked={keep} onChange={(event) => setKeep(event.target.checked)} />
        {m.signIn.keep}
      </label>
      {fault !== null && fault.field === undefined && (
        <p className="fault" role="alert">
          {fault.message}
        </p>
      )}
    </div>
  );
}

function DemoButton({ user: { username, roles }, onPress }: { user: DemoUser; onPress: () => void }) {
  const m = useMessages();
  const role = roles[0] ?? 'user';
  return (
    <button type="button" className="demo-user" onClick={onPress}>
      <Avatar name={username} />
      <span>
        <strong>{username}</strong>
        <small>{m.signIn.roles[role] ?? role}</small>
      </span>
    </button>
  );
}
