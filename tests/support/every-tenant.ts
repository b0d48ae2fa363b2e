import { asEveryTenant } from '../../src/scope.ts';

/** The same, but what is called of it runs within the scope of every tenant: for tests that call what doors would. */
export function ofEveryTenant<T extends object>(service: T): T {
  return new Proxy(service, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => asEveryTenant(() => Reflect.apply(value, target, args) as unknown);
    },
  });
}
