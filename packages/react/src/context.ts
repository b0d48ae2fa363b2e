import type { Inbox } from '@carillon/client';
import { createContext, useContext } from 'react';
import type { Changes } from './changes.ts';
import type { Messages } from './messages.ts';

/** What the provider hands to the components. */
export interface Carillon {
  readonly inbox: Inbox;
  readonly changes: Changes;
  readonly messages: Messages;
  /** For dates and times. */
  readonly formatLocale: string;
  /** For the roots of the components. */
  readonly attributes: { readonly lang: string; readonly 'data-carillon-theme': string };
}

export const CarillonContext = createContext<Carillon | null>(null);

/** @throws Error outside of a `CarillonProvider` */
export function useCarillon(): Carillon {
  const carillon = useContext(CarillonContext);
  if (!carillon) throw new Error('Bell, Inbox and the hooks of Carillon need a <CarillonProvider> around them.');
  return carillon;
}
