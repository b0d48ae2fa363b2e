import type { ReactNode } from 'react';

const icon = (paths: ReactNode) =>
  function Icon() {
    return (
      <svg className="icon" viewBox="0 0 16 16" aria-hidden="true">
        {paths}
      </svg>
    );
  };

export const OutIcon = icon(<path d="M4 12 12 4M6 4h6v6" />);
export const InIcon = icon(<path d="M12 4 4 12M10 12H4V6" />);
export const NoteIcon = icon(<path d="M3 8h10" />);
export const SendIcon = icon(<path d="M2.5 8 13 3.2 10 13l-2.6-4Z M7.4 9 13 3.2" />);
export const CloseIcon = icon(<path d="m4 4 8 8M12 4l-8 8" />);
export const LogoutIcon = icon(<path d="M9.5 3H4v10h5.5M7.5 8H14m-2.2-2.3L14 8l-2.2 2.3" />);

/** The bell of the page's icon. */
export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true">
      <rect width="32" height="32" rx="8" className="logo-ground" />
      <path
        className="logo-bell"
        d="M16 6.5a1.6 1.6 0 0 1 1.6 1.6v.5c2.9.7 4.9 3.2 4.9 6.2v3.9l1.9 2.6c.5.7 0 1.7-.9 1.7h-15c-.9 0-1.4-1-.9-1.7l1.9-2.6v-3.9c0-3 2-5.5 4.9-6.2v-.5A1.6 1.6 0 0 1 16 6.5ZM13.4 24.4h5.2a2.6 2.6 0 0 1-5.2 0Z"
      />
    </svg>
  );
}
