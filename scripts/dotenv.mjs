// Preloaded by npm scripts. --env-file-if-exists would announce a missing file at every start and makes --watch
// crash on Ctrl-C. Variables that are set already win.
import { existsSync } from 'node:fs';

if (existsSync('.env')) process.loadEnvFile('.env');
