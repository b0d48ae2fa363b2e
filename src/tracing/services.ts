import { activeSpan, inSpan } from './spans.ts';

type Method = (...args: unknown[]) => unknown;

/** The same services, with a span for each call of theirs that takes a while, where a trace is under way. */
export function traced<S extends object>(services: S): S {
  const entries = Object.entries(services).map(([name, service]) => [name, tracedService(service as object)]);
  return Object.fromEntries(entries) as S;
}

function tracedService<S extends object>(service: S): S {
  const methods = new Map<PropertyKey, Method>();
  return new Proxy(service, {
    get(target, key) {
      const member: unknown = Reflect.get(target, key, target);
      if (typeof member !== 'function') return member;
      let method = methods.get(key);
      if (!method) {
        method = tracedMethod(target, `${target.constructor.name}.${String(key)}`, member as Method);
        methods.set(key, method);
      }
      return method;
    },
  });
}

function tracedMethod(target: object, name: string, method: Method): Method {
  const attributes = { 'code.function.name': name };
  return (...args) => {
    const span = activeSpan()?.child(name, { attributes });
    return inSpan(span, () => method.apply(target, args));
  };
}
