import { describe, expect, test } from '@jest/globals';
import { Metrics } from '../../src/metrics/metrics.ts';
import { Scrapes } from '../../src/metrics/scrapes.ts';
import { Census } from '../../src/workers/census.ts';
import { Scrape } from './support.ts';

/** A worker: answers when it is asked, unless it is silent. What crosses is JSON. */
class Member {
  readonly metrics = new Metrics();
  isSilent = false;

  constructor(sends: number, connections: number) {
    for (let nth = 0; nth < sends; nth += 1) this.metrics.sent({ channel: 'IN_APP', type: 'TASK' }, 'ok');
    for (let nth = 0; nth < connections; nth += 1) this.metrics.doors.sse.opened();
  }
}

function createCensus(size: number, members: Set<Member>) {
  const census = new Census<Member>(size, (member, id) => {
    if (member.isSilent) return;
    void member.metrics
      .snapshot()
      .then((snapshot) => census.answered(member, id, JSON.parse(JSON.stringify(snapshot))));
  });
  const read = async () => {
    const all = new Scrape(await new Scrapes(() => census.gather(members)).text());
    const values = ['carillon_sends_total', 'carillon_connections', 'carillon_workers_missing'];
    return values.map((name) => all.value(name));
  };
  return { census, read };
}

describe('a census', () => {
  test('adds up counters of members that have died, and leaves out their gauges', async () => {
    const [one, other] = [new Member(3, 1), new Member(4, 2)];
    const members = new Set([one, other]);
    const { census, read } = createCensus(2, members);
    expect(await read()).toEqual([7, 3, 0]);
    members.delete(one);
    census.left(one);
    expect(await read()).toEqual([7, 2, 1]);
    members.add(new Member(1, 0));
    expect(await read()).toEqual([8, 2, 0]);
    members.delete(other);
    census.left(other);
    expect(await read()).toEqual([8, 0, 1]);
  });

  test('does not wait for one that dies, nor long for one that is silent, whose counters stay as they were', async () => {
    const [one, other] = [new Member(3, 1), new Member(4, 2)];
    const members = new Set([one, other]);
    const { census, read } = createCensus(2, members);
    await read();
    one.isSilent = true;
    one.metrics.sent({ channel: 'IN_APP', type: 'TASK' }, 'ok');
    expect(await read()).toEqual([7, 2, 1]);
    one.isSilent = false;
    expect(await read()).toEqual([8, 3, 0]);
    one.isSilent = true;
    const reading = read();
    members.delete(one);
    census.left(one);
    expect(await reading).toEqual([8, 2, 1]);
  });

  test('of nobody says how many are missing', async () => {
    const { census } = createCensus(2, new Set());
    expect(await census.gather([])).toEqual({ snapshots: [[]], missing: 2 });
  });
});
