import type { Profiler } from 'node:inspector';

/** Processor time by place, in microseconds. */
export type Places = Readonly<Record<string, number>>;

/** Nothing runs then, or nothing but the looking itself. */
const PASSED_OVER = new Set(['(idle)', 'Node: inspector']);

/** Adds up a CPU profile by where the time itself was spent: a folder of `src`, a package, a part of Node. */
export function placesIn({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): Places {
  const places = new Map(nodes.map(({ id, callFrame }) => [id, placeOf(callFrame)]));
  const micros: Record<string, number> = {};
  for (const [index, id] of samples.entries()) {
    const place = places.get(id) ?? '';
    if (!PASSED_OVER.has(place)) micros[place] = (micros[place] ?? 0) + Math.max(0, timeDeltas[index] ?? 0);
  }
  return micros;
}

function placeOf({ url, functionName }: { url: string; functionName: string }): string {
  const packageName = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(url)?.[1];
  if (packageName !== undefined) return packageName;
  if (url.startsWith('node:')) return `Node: ${partOfNode(url.replace(/^node:(internal\/)?/, ''))}`;
  const folder = /\/((?:src|bench)(?:\/[^/]+)*)\/[^/]+$/.exec(url)?.[1];
  if (folder !== undefined) return folder;
  if (functionName === '(garbage collector)') return 'garbage collection';
  if (functionName === '(program)') return 'V8 and the system';
  return functionName.startsWith('(') ? functionName : `built in: ${functionName || 'without a name'}`;
}

function partOfNode(module: string): string {
  if (module.startsWith('inspector')) return 'inspector';
  if (/^_?http/.test(module)) return 'HTTP';
  if (/^(net|_?stream|js_stream)/.test(module)) return 'sockets and streams';
  return module.split('/')[0]!;
}

export function sumPlaces(all: readonly Places[]): Places {
  const micros: Record<string, number> = {};
  for (const places of all) {
    for (const [place, value] of Object.entries(places)) micros[place] = (micros[place] ?? 0) + value;
  }
  return micros;
}
