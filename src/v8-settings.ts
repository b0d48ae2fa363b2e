import { PerformanceObserver } from 'node:perf_hooks';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

/*
 * What V8 is told before anything else is loaded, so this file is imported first, and when everything is. Its own settings
 * are made for pages, which come and go; a server runs the same few paths, and holds the same sockets, for months. What
 * each setting does to the figures is in docs/performance.md.
 */

// What is loaded at the start stays: it need not pass through a young generation that grows with it.
setFlagsFromString('--semi-space-growth-factor=1');

/**
 * Both halves of the young generation together, in MiB. V8 lets them grow to 128 when much survives, as when thousands of
 * sockets come at once, and never gives the memory back; more than this made no request cheaper.
 */
const YOUNG_GENERATION_MIB = 16;

function youngGenerationMiB(): number {
  const space = getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space');
  return (space?.space_size ?? 0) / 2 ** 20;
}

/**
 * Call it when the server is loaded. From now on V8 optimizes sooner, and the young generation grows with the load, to
 * 16 MiB. It may come out at the double of that, as V8 grows it by doubling and tells only afterwards.
 */
export function tuneForServing(): void {
  // Optimize what is called often after a quarter of the usual number of calls: with V8's numbers a server that has just
  // been started answers its first thousands of requests at twice the cost. Not sooner: what only loads the server is
  // not worth it, and made a start cost a seventh more.
  setFlagsFromString('--invocation-count-for-maglev=100');
  setFlagsFromString('--invocation-count-for-turbofan=800');
  setFlagsFromString('--semi-space-growth-factor=2');
  const observer = new PerformanceObserver(() => {
    if (youngGenerationMiB() < YOUNG_GENERATION_MIB) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    observer.disconnect();
  });
  observer.observe({ entryTypes: ['gc'] });
}
