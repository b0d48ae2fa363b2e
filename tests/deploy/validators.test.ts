import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { validate } from 'dockerfile-utils';
import { parse } from 'yaml';
import { read, root } from './files.ts';

interface Manifest {
  apiVersion: string;
  kind: string;
  spec?: Record<string, unknown>;
}

interface Model {
  validate(): void;
}

/** What the schema of the kind has against a manifest: throws when there is anything. */
async function check(manifest: Manifest): Promise<void> {
  const group = manifest.apiVersion;
  const module = (await import(`kubernetes-models/${group}/${manifest.kind}`)) as Record<
    string,
    new (
      data: Manifest,
    ) => Model
  >;
  new module[manifest.kind]!(manifest).validate();
}

const folder = 'deploy/kubernetes';
const files = readdirSync(join(root, folder)).filter((name) => name !== 'kustomization.yaml');

test.each(files)('%s is what the schema of its kind says', async (file) => {
  await check(parse(read(`${folder}/${file}`)) as Manifest);
});

test('a manifest that is not what the schema says is found', async () => {
  const manifest = parse(read(`${folder}/deployment.yaml`)) as Manifest;
  await expect(check({ ...manifest, spec: { ...manifest.spec, replicas: 'two' } })).rejects.toThrow(/replicas/);
});

test('the linter has nothing against the Dockerfile', () => {
  expect(validate(read('Dockerfile'))).toEqual([]);
  expect(validate('FROM node\nMAINTAINER me\n')).toMatchObject([{ message: expect.stringContaining('MAINTAINER') }]);
});
