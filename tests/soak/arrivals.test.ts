import { expect, test } from '@jest/globals';
import { Arrivals } from '../../soak/arrivals.ts';

test('what was acknowledged is missing until it comes or leaves, whichever is told first', () => {
  const arrivals = new Arrivals();
  arrivals.acknowledge('answer first', 'inbox');
  arrivals.arrive('event first');
  arrivals.acknowledge('deleted', 'inbox');
  arrivals.acknowledge('lost', 'inbox');
  expect([...arrivals.missing.keys()]).toEqual(['answer first', 'deleted', 'lost']);
  arrivals.arrive('answer first');
  arrivals.acknowledge('event first', 'inbox');
  arrivals.leave('deleted');
  expect([...arrivals.missing]).toEqual([['lost', 'inbox']]);
});
