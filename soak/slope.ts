export interface Point {
  readonly hours: number;
  readonly value: number;
}

/** A straight line through points. */
export interface Slope {
  readonly perHour: number;
  /** Of `perHour`; `NaN` where there are too few points to tell. */
  readonly standardError: number;
  readonly mean: number;
  /** What the line rises by from the first point to the last. */
  readonly rise: number;
}

/**
 * The line of least squares, and the standard error of its slope. That takes what is off the line for independent from
 * one point to the next.
 */
export function slopeOf(points: readonly Point[]): Slope {
  const count = points.length;
  const sum = (of: (point: Point) => number): number => points.reduce((total, point) => total + of(point), 0);
  const [meanHours, mean] = [sum(({ hours }) => hours) / count, sum(({ value }) => value) / count];
  const spread = sum(({ hours }) => (hours - meanHours) ** 2);
  const perHour = sum(({ hours, value }) => (hours - meanHours) * (value - mean)) / spread;
  const rest = sum(({ hours, value }) => (value - mean - perHour * (hours - meanHours)) ** 2);
  const standardError = count < 3 ? Number.NaN : Math.sqrt(rest / (count - 2) / spread);
  const [first, last] = [points[0], points.at(-1)];
  return { perHour, standardError, mean, rise: first && last ? perHour * (last.hours - first.hours) : Number.NaN };
}
