import type { Client } from 'pg';
import type { Statement } from './statements.ts';
import type { Scope } from '../../src/scope.ts';

/** What is looked at of a node of `EXPLAIN (FORMAT JSON)`. */
export interface PlanNode {
  'Node Type': string;
  'Relation Name'?: string;
  'Index Name'?: string;
  'Subplan Name'?: string;
  'Actual Rows': number;
  'Actual Loops': number;
  'Rows Removed by Filter'?: number;
  'Shared Hit Blocks': number;
  'Shared Read Blocks': number;
  Plans?: PlanNode[];
}

/**
 * `custom` plans know the parameters; a `generic` one is made once for all of them, and is what PostgreSQL may go over to
 * from the sixth execution of a prepared statement on.
 */
export type PlanMode = 'custom' | 'generic';

/**
 * Runs a statement as a prepared one, within a scope, and answers with its plan and what really happened.
 * Whatever it wrote is undone.
 */
export async function explain(
  client: Client,
  { text, values }: Statement,
  { mode, scope }: { mode: PlanMode; scope: Scope },
): Promise<PlanNode> {
  const list = values.length === 0 ? '' : `(${values.map((value) => literal(client, value)).join(', ')})`;
  await client.query('begin');
  try {
    await client.query(`set local plan_cache_mode = force_${mode}_plan`);
    await client.query(`select set_config('carillon.scope', $1, true)`, [scope.setting]);
    await client.query(`prepare judged as ${text}`);
    const { rows } = await client.query<{ 'QUERY PLAN': [{ Plan: PlanNode }] }>(
      `explain (analyze, buffers, format json) execute judged${list}`,
    );
    return rows[0]!['QUERY PLAN'][0].Plan;
  } finally {
    await client.query('rollback');
    await client.query('deallocate all');
  }
}

function literal(client: Client, value: unknown): string {
  if (value === null || value === undefined) return 'null';
  return client.escapeLiteral(Array.isArray(value) ? arrayText(value) : wordOf(value));
}

const arrayText = (values: readonly unknown[]): string =>
  `{${values.map((value) => (value === null || value === undefined ? 'null' : JSON.stringify(wordOf(value)))).join(',')}}`;

const wordOf = (value: unknown): string => (value instanceof Date ? value.toISOString() : String(value));

export interface Bounds {
  /** Most 8 KiB pages that the statement may touch, each touch counted. */
  readonly buffers: number;
  /** Most rows that it may sort. */
  readonly sorted: number;
}

const TABLES_OF_THE_LOG = ['notification', 'inbox', 'tombstone', 'receipt', 'sender_log', 'tenant_activity'];

/** What makes a plan one whose cost grows with the log; nothing for a good one. Each fault shows the whole plan. */
export function faultsOf(plan: PlanNode, { buffers, sorted }: Bounds): string[] {
  const faults: string[] = [];
  for (const node of nodesOf(plan)) {
    const type = node['Node Type'];
    const table = node['Relation Name'] ?? '';
    if (type === 'Seq Scan' && TABLES_OF_THE_LOG.includes(table)) faults.push(`reads all of ${table}`);
    if (type === 'Aggregate' && nodesOf(node).some((one) => one['Relation Name'] === 'notification')) {
      faults.push('counts notifications');
    }
    const rows = node['Actual Rows'] * node['Actual Loops'];
    if (type.endsWith('Sort') && rows > sorted) faults.push(`sorts ${rows} rows, not ${sorted} at most`);
  }
  const touched = plan['Shared Hit Blocks'] + plan['Shared Read Blocks'];
  if (touched > buffers) faults.push(`touches ${touched} pages, not ${buffers} at most`);
  return faults.map((fault) => `${fault}:\n${outline(plan)}`);
}

const nodesOf = (node: PlanNode): PlanNode[] => [node, ...(node.Plans ?? []).flatMap(nodesOf)];

/** A plan in one line a node. */
export function outline(node: PlanNode, depth = 0): string {
  const { 'Index Name': index, 'Relation Name': table, 'Subplan Name': subplan } = node;
  const removed = node['Rows Removed by Filter'];
  const line = [
    `${'  '.repeat(depth)}${subplan ? `${subplan}: ` : ''}${node['Node Type']}`,
    ...(index ? [`using ${index}`] : []),
    ...(table ? [`on ${table}`] : []),
    `rows ${node['Actual Rows']} x ${node['Actual Loops']}`,
    ...(removed ? [`filtered out ${removed} x ${node['Actual Loops']}`] : []),
    `pages ${node['Shared Hit Blocks'] + node['Shared Read Blocks']}`,
  ].join(' ');
  return [line, ...(node.Plans ?? []).map((child) => outline(child, depth + 1))].join('\n');
}
