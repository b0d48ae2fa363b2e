import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempDisposableSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { generate } from 'selfsigned';
import { loadConfig } from '../../src/config.ts';
import { anchorsOf, blocksOf, linksOf } from '../docs/markdown.ts';
import { read, root } from './files.ts';
import { configurationFor, faultsOf } from './nginx.ts';

const blocks = blocksOf(read('docs/deploying.md'));

test('the lines for TLS fit into deploy/nginx.conf', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-tls-'));
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'localhost' }]);
  writeFileSync(join(folder.path, 'tls.crt'), cert);
  writeFileSync(join(folder.path, 'tls.key'), key);
  const { code } = blocks.find(({ language }) => language === 'nginx')!;
  const lines = code.replace('8443', '127.0.0.1:8443').replaceAll('/etc/nginx/tls', folder.path);
  const plain = configurationFor(8080, ['127.0.0.1:1', '127.0.0.1:2']);
  const withTls = plain.replace('    listen 127.0.0.1:8080;\n', () => lines);
  expect(withTls).not.toBe(plain);
  expect(faultsOf(withTls)).toBe('');
});

test('the lines that make secrets make those that compose asks for, and an instance takes them', () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-secrets-'));
  mkdirSync(join(folder.path, 'deploy'));
  const { code } = blocks.find(({ name }) => name === 'secrets')!;
  const { status, stderr } = spawnSync('sh', ['-e', '-u', '-c', code], { cwd: folder.path, encoding: 'utf8' });
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  const made = join(folder.path, 'deploy/secrets');
  const asked = [...read('deploy/docker-compose.yml').matchAll(/file: \.\/secrets\/(\w+)/g)].map(([, name]) => name);
  expect(new Set(readdirSync(made))).toEqual(new Set(asked));
  expect(statSync(made).mode & 0o777).toBe(0o700);
  const secret = (name: string): string => readFileSync(join(made, name), 'utf8').trim();
  const config = loadConfig({
    DATABASE_URL: secret('database_url'),
    REDIS_URL: secret('redis_url'),
    JWT_SECRET: secret('jwt_secret'),
    METRICS_TOKEN: secret('metrics_token'),
  });
  expect(new URL(config.databaseUrl!).password).toBe(secret('carillon_password'));
  expect(`requirepass ${new URL(config.redisUrl!).password}`).toBe(secret('redis_conf'));
});

test('SECURITY.md leads only to what is there', () => {
  const faults = linksOf(read('SECURITY.md')).filter((target) => {
    const [path = '', anchor] = target.split('#');
    if (!existsSync(join(root, path))) return true;
    return anchor !== undefined && !anchorsOf(read(path)).has(anchor);
  });
  expect(faults).toEqual([]);
});
