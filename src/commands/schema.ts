// Prints the GraphQL schema: into schema.graphql, or on standard output with --stdout.
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { printedSchema } from '../schema/index.ts';

const { values } = parseArgs({ options: { stdout: { type: 'boolean' } } });
if (values.stdout) process.stdout.write(printedSchema());
else writeFileSync(new URL('../../schema.graphql', import.meta.url), printedSchema());
