import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from '@jest/globals';
import { activeSpan, inChild, together } from '../../src/tracing/spans.ts';
import { TEST_SECRET, person } from '../support/app.ts';
import { createTestDatabase } from '../support/postgres.ts';
import { startCollector } from './collector.ts';

const root = join(import.meta.dirname, '../..');

/** Starts a server, sends something, stops, and prints which packages of OpenTelemetry were loaded meanwhile. */
const SCRIPT = `
  import { registerHooks } from 'node:module';
  const loaded = new Set();
  registerHooks({
    resolve(specifier, context, next) {
      const found = next(specifier, context);
      const [, name] = /@opentelemetry[/]([^/]+)/.exec(found.url) ?? [];
      if (name) loaded.add(name);
      return found;
    },
  });
  const { createApp } = await import('./src/app.ts');
  const { loadConfig } = await import('./src/config.ts');
  const app = await createApp(loadConfig(), { quiet: true });
  const { status } = await fetch(app.url + '/api/v1/notifications', {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer ' + process.env.TOKEN },
    body: '{"title":"t","content":"c"}',
  });
  await app[Symbol.asyncDispose]();
  console.log(JSON.stringify({ status, loaded: [...loaded] }));
`;

async function run(env: Record<string, string>): Promise<{ status: number; loaded: string[] }> {
  await using database = await createTestDatabase();
  const child = spawn(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
    cwd: root,
    env: { PORT: '0', DATABASE_URL: database.url, JWT_SECRET: TEST_SECRET, TOKEN: person().token, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [printed] = await Promise.all([text(child.stdout), once(child, 'close')]);
  return JSON.parse(printed) as { status: number; loaded: string[] };
}

test('a server that makes no traces loads nothing of the SDK', async () => {
  await using collector = await startCollector();
  // prom-client looks for a trace to note beside its numbers, and finds none.
  expect(await run({})).toEqual({ status: 200, loaded: ['api'] });
  const on = await run(collector.env);
  expect(on.loaded).toEqual(expect.arrayContaining(['sdk-trace', 'exporter-trace-otlp-http', 'resources']));
  expect(collector.only('POST /api/v1/notifications').attributes['http.response.status_code']).toBe(200);
});

test('without a trace work is done in no span', async () => {
  const seen = await inChild('work', {}, async (span) => [span, activeSpan()]);
  expect(seen).toEqual([undefined, undefined]);
  expect(together([undefined], activeSpan)).toBeUndefined();
});
