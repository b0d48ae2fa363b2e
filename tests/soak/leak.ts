// Preloaded into a server of a test: leaks memory and descriptors, so that a soak has something to find.
import { openSync } from 'node:fs';

const EVERY_MS = 100;
const NUMBERS = 2 ** 17;
const DESCRIPTORS = 4;

const kept: unknown[] = [];
setInterval(() => {
  kept.push(Array.from({ length: NUMBERS }, (_, at) => at * 0.5));
  for (let n = 0; n < DESCRIPTORS; n += 1) openSync(import.meta.filename, 'r');
}, EVERY_MS).unref();
