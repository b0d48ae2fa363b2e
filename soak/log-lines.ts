const LEAST_LEVEL = 50; // error, as pino has it

/** What a server's log has of errors: lines of that level, and what is no line of its logger, such as a trace of Node. */
export function errorsIn(log: string): string[] {
  return log.split('\n').filter((line) => line.trim() !== '' && !isHarmless(line));
}

function isHarmless(line: string): boolean {
  try {
    return (JSON.parse(line) as { level: number }).level < LEAST_LEVEL;
  } catch {
    return false;
  }
}
