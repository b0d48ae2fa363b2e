import { setFlagsFromString } from 'node:v8';

/**
 * Lets V8 optimize what is called often after a quarter of its usual number of calls. A server runs the same few paths for
 * months, so there is nothing to wait for: with V8's own numbers, made for pages, one that has just been started answered
 * its first thousands of requests at twice the cost; docs/performance.md has the figures.
 *
 * Takes effect for what is called from now on, so it is imported before everything else.
 */
setFlagsFromString('--invocation-count-for-maglev=100');
setFlagsFromString('--invocation-count-for-turbofan=800');
