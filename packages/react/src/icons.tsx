import type { NotificationType } from '@carillon/client';
import type { ReactNode } from 'react';

function icon(children: ReactNode): ReactNode {
  return (
    <svg className="carillon-icon" viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      {children}
    </svg>
  );
}

export const bellIcon = icon(
  <path d="M10 2.75a4.75 4.75 0 0 0-4.75 4.75v2.6c0 .5-.16 1-.46 1.4l-1.1 1.5c-.36.5 0 1.25.63 1.25h11.36c.63 0 .99-.75.62-1.25l-1.09-1.5a2.4 2.4 0 0 1-.46-1.4V7.5A4.75 4.75 0 0 0 10 2.75ZM8 16.75a2.2 2.2 0 0 0 4 0" />,
);
export const checkIcon = icon(<path d="m4.5 10.5 3.5 3.5 7.5-8" />);
export const checkAllIcon = icon(<path d="m2 10.75 3.25 3.25L12 6.5M9.5 13.25l.75.75L17.5 6.5" />);
export const dotIcon = icon(<circle cx="10" cy="10" r="4" className="carillon-icon-fill" />);
export const deleteIcon = icon(
  <path d="M3.75 5.75h12.5M8 5.5V4.25c0-.55.45-1 1-1h2c.55 0 1 .45 1 1V5.5M5.25 5.75l.6 9.1c.06.8.72 1.4 1.5 1.4h5.3c.78 0 1.44-.6 1.5-1.4l.6-9.1M8.5 9v4M11.5 9v4" />,
);
export const closeIcon = icon(<path d="m5.5 5.5 9 9m0-9-9 9" />);
export const upIcon = icon(<path d="M10 15.5v-11m-4.5 4.5L10 4.5 14.5 9" />);
export const downIcon = icon(<path d="M10 4.5v11m-4.5-4.5 4.5 4.5 4.5-4.5" />);
export const urgentIcon = icon(<path d="M10 4v7.5M10 15.25v.5" />);
export const offlineIcon = icon(
  <path d="m3 3 14 14M6.2 6.6A4.2 4.2 0 0 0 5.5 15h8.6M8.6 5.3a4.75 4.75 0 0 1 5.6 3.8c1.9.2 3.3 1.6 3.3 3.3 0 .7-.2 1.3-.6 1.8" />,
);
export const outIcon = icon(
  <path d="M11.5 4.5h4v4M15.25 4.75 9 11M8.5 5.5H5.75c-.7 0-1.25.55-1.25 1.25v7.5c0 .7.55 1.25 1.25 1.25h7.5c.7 0 1.25-.55 1.25-1.25V11.5" />,
);

export const typeIcons: Readonly<Record<NotificationType, ReactNode>> = {
  SYSTEM: icon(<path d="M10 9.25v4M10 6.6v.15M10 17a7 7 0 1 0 0-14 7 7 0 0 0 0 14Z" />),
  APPROVAL: icon(
    <path d="m7.25 10 2 2 3.75-4M10 2.75l5.75 2v4.5c0 3.6-2.4 6.3-5.75 8-3.35-1.7-5.75-4.4-5.75-8v-4.5l5.75-2Z" />,
  ),
  TASK: icon(
    <path d="m7 10.25 2.1 2.1 4-4.35M5.25 3.5h9.5c.97 0 1.75.78 1.75 1.75v9.5c0 .97-.78 1.75-1.75 1.75h-9.5c-.97 0-1.75-.78-1.75-1.75v-9.5c0-.97.78-1.75 1.75-1.75Z" />,
  ),
  MESSAGE: icon(
    <path d="M6.75 8h6.5m-6.5 3h4M5.25 3.75h9.5c.97 0 1.75.78 1.75 1.75v6.75c0 .97-.78 1.75-1.75 1.75H10l-3.5 2.75V14H5.25c-.97 0-1.75-.78-1.75-1.75V5.5c0-.97.78-1.75 1.75-1.75Z" />,
  ),
  ALERT: icon(
    <path d="M10 8v3.25M10 13.6v.15M8.75 3.9 2.9 14c-.55 1 .15 2.25 1.25 2.25h11.7c1.1 0 1.8-1.25 1.25-2.25L11.25 3.9c-.55-.97-1.95-.97-2.5 0Z" />,
  ),
};
