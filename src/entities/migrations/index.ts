import { Migration20261123_initial } from './20261123-initial.ts';
import { Migration20261124_changed_index } from './20261124-changed-index.ts';

/** In the order in which they run. The names are what a database remembers: they never change. */
export const migrations = [
  { name: 'Migration20261123_initial', class: Migration20261123_initial },
  { name: 'Migration20261124_changed_index', class: Migration20261124_changed_index },
];
