// Prints how many bytes of the heap a push takes to count, beyond a loop that counts nothing.
// Run it with --expose-gc, and with a young generation so large that nothing is collected meanwhile.
import '../../src/runtime-settings.ts';
import { PerformanceObserver } from 'node:perf_hooks';
import { DoorMeter } from '../../src/metrics/door-meter.ts';

const PUSHES = 1_000_000;
const WARM_UP_ROUNDS = 10;
const MOST_ROUNDS = 30;
/** Of all pushes of a round together: nobody waits for less. */
const SETTLED_BYTES = 20_000;

let collections = 0;
new PerformanceObserver((entries) => {
  collections += entries.getEntries().length;
}).observe({ entryTypes: ['gc'] });

const meter = new DoorMeter();
const events = Array.from({ length: 16 }, () => ({ kind: 'added', committedAtMs: Date.now() - 3 }));

/** Each event goes to so many connections, one after the other. */
function push(count: number, readers: number): void {
  for (let nth = 0; nth < count; nth += 1) meter.pushed(events[Math.floor(nth / readers) & 15]!);
}

let sum = 0;
function idle(count: number, readers: number): void {
  for (let nth = 0; nth < count; nth += 1) sum += events[Math.floor(nth / readers) & 15]!.kind.length;
}

const usage = (): number => process.memoryUsage().heapUsed;

let forced = 0;
/**
 * The least of several: what the compiler and the runtime take now and then is no part of it. They get a turn between two
 * rounds, as they finish there what they do beside; while they are busy even an idle loop seems to take a fifth of a byte.
 */
async function bytesOf(work: (count: number, readers: number) => void, readers: number): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < MOST_ROUNDS && least > SETTLED_BYTES; round += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    globalThis.gc?.();
    forced += 1;
    const before = usage();
    work(PUSHES, readers);
    least = Math.min(least, usage() - before);
  }
  return least;
}

for (let round = 0; round < WARM_UP_ROUNDS; round += 1) {
  for (const readers of [1000, 1]) {
    push(PUSHES, readers);
    idle(PUSHES, readers);
  }
}
await new Promise((resolve) => setTimeout(resolve, 50));
const readings: { readers: number; pushes: number; idle: number }[] = [];
for (const readers of [1000, 1]) {
  readings.push({ readers, pushes: await bytesOf(push, readers), idle: await bytesOf(idle, readers) });
}
await new Promise((resolve) => setTimeout(resolve, 10));
console.log(JSON.stringify({ PUSHES, readings, counted: meter.delivered, sum, collections, forced }));
