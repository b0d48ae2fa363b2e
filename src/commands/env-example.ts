// Prints every setting with its default: into .env.example, or on standard output with --stdout.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { envExample } from '../config.ts';

const { values } = parseArgs({ options: { stdout: { type: 'boolean' } } });
if (values.stdout) process.stdout.write(envExample());
else writeFileSync(new URL('../../.env.example', import.meta.url), envExample());
