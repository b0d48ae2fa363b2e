import { servicesKey } from './global-setup.ts';

/** Stops what the setup started and waits until it is gone. */
export default async function globalTeardown(): Promise<void> {
  const services = (globalThis as { [servicesKey]?: AsyncDisposableStack })[servicesKey];
  await services?.disposeAsync();
}
