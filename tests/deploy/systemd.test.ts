import { spawnSync } from 'node:child_process';
import { mkdtempDisposableSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadConfig, parseDuration, variableName } from '../../src/config.ts';
import { findProgram } from '../support/programs.ts';
import { read, root } from './files.ts';
import { hasSystemd, systemdAnalyze } from './programs.ts';

const unit = read('deploy/systemd/carillon.service');
const valuesOf = (key: string): string[] =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value);
const environment = new Map(
  valuesOf('Environment').flatMap((line) => line.split(' ').map((pair) => pair.split('=', 2) as [string, string])),
);

/** The unit with the Node of this run and this folder, as there may be neither /usr/bin/node nor /opt/carillon here. */
function analyze(text: string, ...args: string[]) {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'carillon-unit-'));
  const file = join(folder.path, 'carillon.service');
  writeFileSync(file, text.replace('/usr/bin/node', process.execPath).replaceAll('/opt/carillon', root));
  const { status, stdout, stderr } = spawnSync(findProgram(systemdAnalyze), [...args, file], { encoding: 'utf8' });
  return { status, output: stdout + stderr };
}

// Where there is no systemd the unit is of no use, and there is nobody to ask about it.
if (hasSystemd) {
  test('systemd-analyze finds nothing wrong with the unit, and little that it may do', () => {
    expect(analyze(unit, 'verify')).toEqual({ status: 0, output: '' });
    expect(analyze(unit.replace('KillMode', 'KilMode'), 'verify').output).toMatch(/Unknown key.* 'KilMode'/);
    // Tenths of a point of exposure; ten points are a unit without any of it.
    expect(analyze(unit, 'security', '--offline=true', '--threshold=15').status).toBe(0);
  });
}

test('settings exist, credentials are those that are loaded, and there is time to drain', () => {
  const known = new Set(Object.keys(loadConfig({})).map(variableName));
  const names = [...environment.keys()].map((name) => name.replace(/_FILE$/, ''));
  expect(names.filter((name) => !known.has(name))).toEqual([]);
  const credentials = valuesOf('LoadCredential').map((line) => `%d/${line.split(':')[0]}`);
  expect([...environment].filter(([name]) => name.endsWith('_FILE')).map(([, path]) => path)).toEqual(credentials);
  const [stop = ''] = valuesOf('TimeoutStopSec');
  expect(parseDuration(stop)).toBeGreaterThan(parseDuration(environment.get('SHUTDOWN_TIMEOUT') as string));
});
