import { expect, test } from '@jest/globals';
import { createServer } from 'node:net';
import { expectNoLeaks } from './support/leaks.ts';
test('x', async () => {
  const s = createServer(); const t: NodeJS.Timeout[] = [];
  await expect(expectNoLeaks(async () => { t.push(setInterval(() => {}, 1000)); })).rejects.toThrow();
  clearInterval(t[0]);
  await expect(expectNoLeaks(async () => { s.listen(0); await new Promise((r) => s.once('listening', r)); })).rejects.toThrow();
  s.close();
}, 30000);
