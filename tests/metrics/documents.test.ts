import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { Metrics } from '../../src/metrics/metrics.ts';
import { Scrapes, gatherAlone } from '../../src/metrics/scrapes.ts';
import { type Family, Scrape } from './support.ts';

const read = (file: string): string => readFileSync(join(import.meta.dirname, '../../docs', file), 'utf8');
const documentation = read('statistics.md');

interface Panel {
  id: number;
  type: string;
  title: string;
  description: string;
  datasource: { type: string; uid: string };
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig: { defaults: { unit: string } };
  targets: { expr: string; datasource: { uid: string } }[];
}
const dashboard = JSON.parse(read('grafana-dashboard.json')) as {
  title: string;
  uid: string;
  schemaVersion: number;
  templating: { list: { name: string; type: string; query: unknown }[] };
  panels: Panel[];
};
const panels = dashboard.panels.filter(({ type }) => type !== 'row');
const expressions = panels.flatMap(({ targets }) => targets.map(({ expr }) => expr));

let families: readonly Family[];
let names: Set<string>;

const typeOf = (name: string): string | undefined =>
  families.find((family) => family.name === name)?.type.toLowerCase();

/** Names of metrics, or of the series of histograms, as metrics. */
const metricsIn = (text: string): string[] =>
  [...text.matchAll(/\b(?:carillon|process|nodejs)_[a-z0-9_]+/g)]
    .map(([name]) => (names.has(name) ? name : name.replace(/_(bucket|sum|count)$/, '')))
    .filter((name, nth, all) => all.indexOf(name) === nth);

beforeAll(async () => {
  families = new Scrape(await new Scrapes(gatherAlone(new Metrics())).text()).families;
  names = new Set(families.map(({ name }) => name));
});

const own = (): string[] => [...names].filter((name) => name.startsWith('carillon_'));

describe('docs/statistics.md', () => {
  const rows = [...documentation.matchAll(/^\| `(carillon_\w+)` \| (\w+) \|(.*?)\| (\w+) \| /gm)];

  test('has a row for every metric of ours, and for nothing else', () => {
    expect(rows).toHaveLength(own().length);
    expect(new Set(rows.map(([, name]) => name))).toEqual(new Set(own()));
  });

  test('says the type of each, and seconds where the name does', () => {
    expect(rows.map(([, name, type]) => [name, type])).toEqual(rows.map(([, name]) => [name, typeOf(name ?? '')]));
    for (const [, name = '', , , unit] of rows) expect(unit === 'seconds').toBe(name.endsWith('_seconds'));
  });

  test('names only metrics that there are', () => {
    const text = documentation.replaceAll(/`?tenant_activity`?/g, '');
    expect(metricsIn(text).filter((name) => !names.has(name))).toEqual([]);
  });
});

describe('docs/grafana-dashboard.json', () => {
  test('shows every metric of ours, and only metrics that there are', () => {
    const shown = metricsIn(expressions.join('\n'));
    expect(shown.filter((name) => !names.has(name))).toEqual([]);
    expect(own().filter((name) => !shown.includes(name))).toEqual([]);
  });

  test('asks the Prometheus that is chosen', () => {
    const variables = dashboard.templating.list.map(({ name, type }) => [name, type]);
    expect(variables).toEqual([
      ['datasource', 'datasource'],
      ['job', 'query'],
    ]);
    for (const { datasource, targets } of panels) {
      for (const { uid } of [datasource, ...targets.map((target) => target.datasource)]) {
        expect(uid).toMatch(/^\$\{datasource\}$/);
      }
    }
    for (const expression of expressions) expect(expression).toContain('job=~"$job"');
  });

  test('has panels with a unit each, that do not overlap', () => {
    const places = new Set<string>();
    for (const { title, description, fieldConfig, gridPos } of panels) {
      expect([title, description, fieldConfig.defaults.unit].every((text) => text.length > 0)).toBe(true);
      expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
      places.add(`${gridPos.x} ${gridPos.y}`);
    }
    expect(places.size).toBe(panels.length);
    expect(new Set(dashboard.panels.map(({ id }) => id)).size).toBe(dashboard.panels.length);
  });

  test('takes rates of counters, and quantiles of histograms', () => {
    for (const expression of expressions) {
      for (const [, name = ''] of expression.matchAll(/rate\((\w+)\{/g)) {
        expect(['counter', 'histogram']).toContain(typeOf(metricsIn(name)[0] ?? ''));
      }
      for (const [, name = ''] of expression.matchAll(/histogram_quantile\(.*?rate\((\w+)\{/g)) {
        expect(typeOf(metricsIn(name)[0] ?? '')).toBe('histogram');
      }
    }
  });
});
