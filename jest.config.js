/**
 * Jest runs the TypeScript sources as Node does, without a transform. Start it as
 * `node --experimental-vm-modules node_modules/jest/bin/jest.js`.
 * There is no `forceExit`: a run that does not end by itself has leaked a socket, timer or process.
 *
 * @type {import('jest').Config}
 */
export default {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {},
  testMatch: ['<rootDir>/tests/**/*.test.ts'],
  globalSetup: '<rootDir>/tests/support/global-setup.ts',
  globalTeardown: '<rootDir>/tests/support/global-teardown.ts',
  testSequencer: '<rootDir>/tests/support/sequencer.js',
  // For what hangs; a busy or slow machine may take many times as long as an idle one.
  testTimeout: 90_000, // ms
  // The processors that a run may count on: tests start processes of their own, and some say how late something may come.
  maxWorkers: 2,
};
