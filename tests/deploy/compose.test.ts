import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { loadConfig, variableName } from '../../src/config.ts';
import { read } from './files.ts';

interface Service {
  image: string;
  environment?: Record<string, string>;
  secrets?: string[];
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  networks: string[];
  healthcheck?: object;
  read_only?: boolean;
  cap_drop?: string[];
  cap_add?: string[];
  security_opt?: string[];
  privileged?: boolean;
  stop_grace_period?: string;
}

const compose = parse(read('deploy/docker-compose.yml'), { merge: true }) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  networks: Record<string, object>;
  volumes: Record<string, object>;
};
const services = Object.entries(compose.services);
const apps = services.filter(([name]) => name.startsWith('app-'));
const settings = new Set(Object.keys(loadConfig({})).map(variableName));

test('two instances, PostgreSQL, Redis and nginx are composed, each of an exact version', () => {
  expect(services.map(([name]) => name)).toEqual(['app-1', 'app-2', 'nginx', 'postgres', 'redis']);
  expect(services.filter(([, { image }]) => !/:\d+\.\d+/.test(image))).toEqual([]);
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(new Set(apps.map(([, { image }]) => image))).toEqual(new Set([`carillon:${version}`]));
});

test.each(services)('%s is read-only, without capabilities, and cannot gain privileges', (_name, service) => {
  expect(service).toMatchObject({ read_only: true, cap_drop: ['ALL'], security_opt: ['no-new-privileges:true'] });
  expect(service.cap_add).toBeUndefined();
  expect(service.privileged).toBeUndefined();
});

test.each(services)(
  '%s tells whether it is healthy, and whoever depends on another one waits for that',
  (_name, service) => {
    expect(service.healthcheck).toBeDefined();
    for (const [name, { condition }] of Object.entries(service.depends_on ?? {})) {
      expect(compose.services).toHaveProperty(name);
      expect(condition).toBe('service_healthy');
    }
  },
);

test('only nginx has a port outside, and PostgreSQL and Redis have no way out', () => {
  expect(services.filter(([, { ports }]) => ports).map(([name]) => name)).toEqual(['nginx']);
  expect(compose.networks).toMatchObject({ inside: { internal: true } });
  for (const name of ['postgres', 'redis']) expect(compose.services[name]?.networks).toEqual(['inside']);
});

test('secrets are files that are not in the repository, and none is an environment variable', () => {
  const used = new Set(services.flatMap(([, { secrets = [] }]) => secrets));
  expect(used).toEqual(new Set(Object.keys(compose.secrets)));
  for (const [name, { file }] of Object.entries(compose.secrets)) expect(file).toBe(`./secrets/${name}`);
  expect(read('deploy/.gitignore').split('\n')).toContain('secrets/');
  const secret = /PASSWORD|SECRET|TOKEN|_URL$|KEY/;
  const variables = services.flatMap(([, { environment = {} }]) => Object.keys(environment));
  expect(variables.filter((name) => secret.test(name) && !name.endsWith('_FILE'))).toEqual([]);
});

test('instances are given settings that exist, secrets that they have, and time to drain', () => {
  for (const [, { environment = {}, secrets = [], stop_grace_period: grace = '' }] of apps) {
    const names = Object.keys(environment).map((name) => name.replace(/_FILE$/, ''));
    expect(names.filter((name) => !settings.has(name))).toEqual([]);
    const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'));
    expect(files.map(([, path]) => path)).toEqual(secrets.map((name) => `/run/secrets/${name}`));
    const { shutdownTimeout } = loadConfig({ SHUTDOWN_TIMEOUT: environment['SHUTDOWN_TIMEOUT'] });
    expect(Number.parseInt(grace, 10) * 1000).toBeGreaterThan(shutdownTimeout);
  }
});

test('nginx.conf leads to the instances by their names', () => {
  const servers = [...read('deploy/nginx.conf').matchAll(/^ +server ([\w-]+):15006 /gm)].map(([, name]) => name);
  expect(new Set(servers)).toEqual(new Set(apps.map(([name]) => name)));
});
