import { idRule } from '../services/notification-rules.ts';
import { UsageError, required } from './arguments.ts';

/** An option that must be there, and may be the id of a tenant or user. @throws UsageError */
export function readId(name: string, value: string | undefined): string {
  const { success, data, error } = idRule(name).safeParse(required(name, value));
  if (!success) throw new UsageError(`--${name} ${error.issues[0]?.message}`);
  return data;
}
