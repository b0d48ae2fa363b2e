/** `840 B`, `1.2 kB`. */
export function formatSize(bytes: number): string {
  return bytes < 1000 ? `${bytes} B` : `${(bytes / 1000).toFixed(1)} kB`;
}

/** `0.8 ms`, `12 ms`, `3.4 s`. */
export function formatLatency(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)} s`;
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** JSON laid out in lines; anything else as it is. The head of a request stays above its body. */
export function layOut(text: string): string {
  const split = text.indexOf('\n\n');
  const head = split < 0 ? '' : text.slice(0, split + 2);
  try {
    return head + JSON.stringify(JSON.parse(text.slice(head.length)), null, 2);
  } catch {
    return text;
  }
}
