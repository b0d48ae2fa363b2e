/**
 * `npm run check`: types, lint, format, and whether what is generated is what would be generated now.
 * Every step runs, whatever becomes of the others; exits with 1 when one of them fails.
 */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

interface Step {
  name: string;
  /** Arguments for Node: a tool's own script, so that no shell and no PATH is needed. */
  command: string[];
  /** The committed file that must equal what the command prints. */
  file?: string;
  fix?: string;
}

const AT_ONCE = 2;
const root = join(import.meta.dirname, '..');
const steps: Step[] = [
  { name: 'types', command: ['node_modules/typescript/bin/tsc', '--project', '.', '--pretty'] },
  { name: 'browser', command: ['node_modules/typescript/bin/tsc', '--project', 'packages', '--noEmit', '--pretty'] },
  {
    name: 'lint',
    command: ['node_modules/oxlint/bin/oxlint', '--type-aware'],
    fix: 'npm run lint:fix, and by hand what it leaves',
  },
  {
    name: 'format',
    command: ['node_modules/@biomejs/biome/bin/biome', 'format', '--reporter=summary', '.'],
    fix: 'npm run format',
  },
  {
    name: 'schema',
    command: ['src/commands/schema.ts', '--stdout'],
    file: 'schema.graphql',
    fix: 'npm run schema',
  },
  {
    name: 'codegen',
    command: ['node_modules/@graphql-codegen/cli/esm/bin.js', '--check', '--silent'],
    fix: 'npm run codegen',
  },
  {
    name: 'settings',
    command: ['src/commands/env-example.ts', '--stdout'],
    file: '.env.example',
    fix: 'npm run env-example',
  },
];

/** Runs a step; answers with what is wrong, or nothing. */
async function run(step: Step): Promise<string> {
  const started = performance.now();
  const { code, stdout, stderr } = await execute(step.command);
  let output = code === 0 ? '' : `${stdout}${stderr}`.trim() || `exit code ${code}`;
  if (code === 0 && step.file !== undefined) output = difference(step.file, stdout);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  console.log(`${output === '' ? 'ok  ' : 'FAIL'}  ${step.name.padEnd(8)}  ${seconds} s`);
  return output;
}

function execute(args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    const printed = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (printed.stdout += chunk));
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (printed.stderr += chunk));
    child.on('error', reject).on('close', (code) => resolve({ code, ...printed }));
  });
}

/** The first line in which the committed file differs from what was printed, or nothing. */
function difference(file: string, printed: string): string {
  let committed: string;
  try {
    committed = readFileSync(join(root, file), 'utf8');
  } catch {
    return `${file} is missing`;
  }
  if (committed === printed) return '';
  const [is, shouldBe] = [committed.split('\n'), printed.split('\n')];
  const line = shouldBe.findIndex((text, n) => text !== is[n]);
  const at = line < 0 ? shouldBe.length : line;
  return `${file} is stale from line ${at + 1} on:\n- ${is[at] ?? ''}\n+ ${shouldBe[at] ?? ''}`;
}

const outputs = new Map<Step, string>();
const queue = steps.values();
async function work(): Promise<void> {
  for (const step of queue) outputs.set(step, await run(step));
}
await Promise.all(Array.from({ length: AT_ONCE }, work));

const failed = steps.filter((step) => outputs.get(step) !== '');
for (const step of failed) console.log(`\n── ${step.name} ──\n${outputs.get(step)}`);
if (failed.length === 0) {
  console.log('\nEverything is in order.');
} else {
  console.log(`\n${failed.length} of ${steps.length} checks failed:`);
  for (const { name, fix } of failed) console.log(`  ${name.padEnd(8)}  ${fix ?? 'see the messages above'}`);
  process.exitCode = 1;
}
