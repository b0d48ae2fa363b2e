import { randomFillSync } from 'node:crypto';

const POOL_BYTES = 8192;
let pool = Buffer.alloc(POOL_BYTES);
let used = POOL_BYTES;

/**
 * Random bytes of the system's generator, drawn for many at a time: a draw costs more than everything else about an id.
 * Each byte is given out once.
 */
export function randomBytesOf(count: number): Buffer {
  if (used + count > POOL_BYTES) {
    pool = randomFillSync(Buffer.alloc(POOL_BYTES));
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}
