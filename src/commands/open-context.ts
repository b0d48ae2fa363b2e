import type { Config } from '../config.ts';
import { type Context, createContext } from '../context.ts';
import { createLogger } from '../logger.ts';

/** What a command works with, beside a server that may be running. Nothing that it does rings a doorbell, so it needs no broker. */
export const openContext = (config: Config): Promise<Context> =>
  createContext({ ...config, redisUrl: undefined }, createLogger({ level: 'warn', format: 'pretty' }), {
    exclusive: false,
  });
