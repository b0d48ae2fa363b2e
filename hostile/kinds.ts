import { httpAttacks } from './http-attacks.ts';
import { socketAttacks } from './socket-attacks.ts';
import type { Attack } from './target.ts';

/** All that the hostile client does, by its name in the report. */
export const attacks: Readonly<Record<string, Attack>> = { ...httpAttacks, ...socketAttacks };

export const kinds: readonly string[] = Object.keys(attacks);
