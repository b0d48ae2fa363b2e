import { relative } from 'node:path';
import TestSequencer from '@jest/test-sequencer';

/**
 * The files that take longest, in the order in which they start. The first of them keep every processor busy, and those
 * after each mostly wait: beside each other they take no longer than alone.
 */
const longest = [
  'tests/bench/main.test.ts',
  'tests/process/presence.test.ts',
  'tests/services/presence.test.ts',
  'tests/process/workers.test.ts',
  'tests/sockets/presence.test.ts',
  'tests/cluster/presence.test.ts',
  'tests/graphql/scheduled.test.ts',
  'tests/services/typing.test.ts',
  'tests/torture.test.ts',
  'tests/soak/main.test.ts',
  'tests/hostile/main.test.ts',
  'tests/process/terminal.test.ts',
  'tests/commands/data-export.test.ts',
  'tests/commands/data-delete.test.ts',
  'tests/process/embedded.test.ts',
  'tests/process/signals.test.ts',
  'tests/database/embedded-postgres.test.ts',
  'tests/process/commands.test.ts',
  'tests/services/stalled-listener.test.ts',
  'tests/channels/all-four.test.ts',
  'tests/process/scheduled.test.ts',
  'tests/database/outage.test.ts',
  'tests/react/accessibility.test.ts',
  'tests/parity/parity.test.ts',
  'tests/commands/data-delete-live.test.ts',
  'tests/console/accessible.test.ts',
  'tests/react/large.test.ts',
  'tests/web/graphiql-page.test.ts',
  'tests/react/inbox.test.ts',
  'tests/console/panes.test.ts',
];

/**
 * Starts the longest files first, so that a run does not end with one of them alone. Jest by itself knows how long a file
 * takes from earlier runs only, and goes by its size in a fresh clone. (JavaScript, as the package's types are of its
 * CommonJS form.)
 */
export default class LongestFirst extends TestSequencer {
  /** @override */
  sort(tests) {
    const rankOf = ({ path, context }) => {
      const rank = longest.indexOf(relative(context.config.rootDir, path).replaceAll('\\', '/'));
      return rank === -1 ? longest.length : rank;
    };
    // oxlint-disable-next-line unicorn/no-array-sort -- not an array's method
    return super.sort(tests).toSorted((a, b) => rankOf(a) - rankOf(b));
  }
}
