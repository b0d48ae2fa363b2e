import { AsyncLocalStorage } from 'node:async_hooks';

/** Whose rows statements may see and change. Services ask for rows by tenant anyway: this is what PostgreSQL holds them to. */
export interface Scope {
  /** Some tenants, or every one. */
  readonly tenants: readonly string[] | 'all';
  /** The same as the value of `carillon.scope`: `all`, or an array literal of PostgreSQL. */
  readonly setting: string;
}

const EVERY_TENANT: Scope = { tenants: 'all', setting: 'all' };
const NO_TENANT: Scope = { tenants: [], setting: '{}' };

const storage = new AsyncLocalStorage<Scope>();

/** The scope of what runs now. Where nobody has entered one there are no rows: what forgets to fails, and shows nothing. */
export const currentScope = (): Scope => storage.getStore() ?? NO_TENANT;

/** Runs `work`, and whatever it begins, within this scope and none other. */
export const within = <T>(scope: Scope, work: () => T): T => storage.run(scope, work);

/** Runs `work` for one tenant: at a door, for a caller whose token has been verified; or for what is a tenant's own. */
export const asTenant = <T>(tenantId: string, work: () => T): T => within(scopeOf([tenantId]), work);

/** Runs `work` for every tenant: for what looks after all of them, and for commands of whoever runs the server. */
export const asEveryTenant = <T>(work: () => T): T => within(EVERY_TENANT, work);

/** What any of these may see: the scope of a statement that several share. */
export function unionOf(scopes: readonly Scope[]): Scope {
  const [first = NO_TENANT] = scopes;
  if (scopes.every(({ setting }) => setting === first.setting)) return first;
  const tenants = new Set<string>();
  for (const scope of scopes) {
    if (scope.tenants === 'all') return EVERY_TENANT;
    for (const tenantId of scope.tenants) tenants.add(tenantId);
  }
  return scopeOf([...tenants]);
}

/**
 * Makes sure that what is asked for is the business of whoever runs now, where no statement would: topics are not walled.
 *
 * @throws Error otherwise. No caller brings that about: it is a defect.
 */
export function mustBeInScope(tenantId: string): void {
  const { tenants } = currentScope();
  if (tenants !== 'all' && !tenants.includes(tenantId)) throw new Error('this is of another tenant than what runs now');
}

/** In an array literal everything may stand between quotes; only these two need a backslash there. */
const quoted = (tenantId: string): string => `"${tenantId.replaceAll(/["\\]/g, String.raw`\$&`)}"`;

const scopeOf = (tenants: readonly string[]): Scope => ({ tenants, setting: `{${tenants.map(quoted).join(',')}}` });
