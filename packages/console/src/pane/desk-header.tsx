import { Bell } from '@carillon/react';
import { useMessages } from '../state/console.ts';
import type { User } from '../state/session.ts';
import { LogoutIcon } from '../ui/icons.tsx';
import { Avatar } from './avatar.tsx';

export function DeskHeader({ user, onLogout }: { user: User; onLogout: () => void }) {
  const m = useMessages();
  const roles = user.roles.map((role) => m.signIn.roles[role] ?? role);
  return (
    <div className="desk-header">
      <Avatar name={user.username} />
      <div className="who">
        <h2>{user.username}</h2>
        <p className="quiet">{[user.tenantId, ...roles].join(' · ')}</p>
      </div>
      <Bell align="end" />
      <button type="button" className="ghost" onClick={onLogout}>
        <LogoutIcon />
        <span>{m.signIn.logout}</span>
      </button>
    </div>
  );
}
