import type { Config } from '../config.ts';
import { localSecret } from './storage.ts';

/** The settings with a key to sign and verify with: the embedded mode, when given none, keeps one beside its data. */
export async function withSigningKey(config: Config): Promise<Config> {
  const hasKey = config.jwtSecret ?? config.jwtPublicKey ?? config.jwtJwksUrl;
  if (hasKey !== undefined || config.databaseUrl) return config;
  return { ...config, jwtSecret: await localSecret(config.dataDir) };
}
