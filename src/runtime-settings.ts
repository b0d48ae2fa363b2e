import { access, readFileSync, readdirSync } from 'node:fs';
import { getPriority, setPriority } from 'node:os';
import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/*
 * What V8 is told before anything else is loaded, so this file is imported first, and when everything is. Its own settings
 * are made for pages, which come and go; a server runs the same few paths, and holds the same sockets, for months. And
 * what the threads that help are told. What each setting does to the figures is in docs/performance.md.
 */

// What is loaded at the start stays: it need not pass through a young generation that grows with it.
setFlagsFromString('--semi-space-growth-factor=1');

// V8's middle compiler keeps what each of its jobs took until the job's turn comes, outside of the heap, and the process does
// not get it back: 2,000 sockets that come at once cost 15 MiB more, and no request became cheaper for it.
setFlagsFromString('--no-maglev');

/**
 * Both halves of the young generation together, in MiB. V8 lets them grow to 128 when much survives, as when thousands of
 * sockets come at once, and never gives the memory back; more than this made no request cheaper.
 */
const YOUNG_GENERATION_MIB = 16;

/**
 * What the heap may grow by before V8 looks through it again, of what was in use the last time. By itself V8 goes from a
 * tenth, which on a quiet server it does every few seconds and everybody waits for, to a multiple on a busy one.
 */
const GROWTH_PERCENT = 100;

function youngGenerationMiB(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return (space?.space_size ?? 0) / 2 ** 20;
}

/** As Node calls the threads on which V8 compiles and libuv does what takes long: hashing passwords, reading files. */
const HELPERS = new Set(['V8Worker', 'libuv-worker']);

/**
 * Beside the thread that serves each of them then gets a tenth of what it gets, and all of an idle core. Not less: at 15 what
 * is called often was compiled so late that a server just started answered half as many pages.
 */
const NICER = 10;

const MOST_NICE = 19;

// With the first thing to do, whatever it is, libuv starts its threads.
access('.', () => {});

/**
 * Where cores are fewer than what there is to do, helpers take turns with the thread that serves: everybody waited a tenth
 * of a second while code that had just become busy was compiled, or while others logged in. Only on Linux is a priority
 * that of a thread (setpriority(2)).
 */
function lowerPriorityOfHelpers(): void {
  if (process.platform !== 'linux') return;
  const priority = Math.min(MOST_NICE, getPriority() + NICER);
  try {
    for (const id of readdirSync('/proc/self/task')) {
      if (HELPERS.has(readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim())) setPriority(Number(id), priority);
    }
  } catch {
    // Where threads cannot be seen, they are left as they are; so are the rest when one has ended meanwhile.
  }
}

/**
 * Call it when the server is loaded. From now on V8 optimizes sooner, and the young generation grows with the load, to
 * 16 MiB. It may come out at the double of that, as V8 grows it by doubling and tells only afterwards.
 */
export function tuneForServing(): void {
  lowerPriorityOfHelpers();
  // Optimize what is called often after a quarter of the usual number of calls: with V8's numbers a server that has just
  // been started answers its first thousands of requests at twice the cost. Not sooner: what only loads the server is
  // not worth it, and made a start cost a seventh more.
  setFlagsFromString('--invocation-count-for-turbofan=800');
  setFlagsFromString('--semi-space-growth-factor=2');
  setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  const observer = new PerformanceObserver(() => {
    if (youngGenerationMiB() < YOUNG_GENERATION_MIB) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}
