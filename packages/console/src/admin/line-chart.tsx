import { useEffect, useRef } from 'react';
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import { preciseTime } from '../ui/time.ts';

const HEIGHT_PX = 150;

export interface LineChartProps {
  title: string;
  /** Which of the colours of charts. */
  hue: number;
  /** s since the epoch. */
  times: readonly number[];
  values: readonly number[];
}

/** A line over time. It draws only: the same figures stand in a table beside it. */
export function LineChart({ title, hue, times, values }: LineChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<uPlot | null>(null);

  useEffect(() => {
    const element = box.current as HTMLDivElement;
    const made = new uPlot(optionsOf(element, hue), [[], []], element);
    chart.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT_PX }));
    observer.observe(element);
    // Its colours are those of the theme, which uPlot asks for at each drawing.
    const redraw = (): void => made.redraw();
    const themes = new MutationObserver(redraw);
    themes.observe(document.documentElement, { attributeFilter: ['data-theme'] });
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', redraw);
    return () => {
      dark.removeEventListener('change', redraw);
      themes.disconnect();
      observer.disconnect();
      made.destroy();
    };
  }, [hue]);

  useEffect(() => chart.current?.setData([[...times], [...values]]), [times, values]);

  return (
    <figure className={`chart chart-${hue}`}>
      <figcaption>
        {title} <strong>{values.at(-1) ?? ''}</strong>
      </figcaption>
      <div ref={box} aria-hidden="true" />
    </figure>
  );
}

function optionsOf(element: HTMLElement, hue: number): uPlot.Options {
  const color = (name: string) => (): string => getComputedStyle(element).getPropertyValue(name);
  const axis = {
    stroke: color('--ink-quiet'),
    grid: { stroke: color('--line'), width: 1 },
    ticks: { show: false },
    font: '11px system-ui',
  };
  return {
    width: element.clientWidth,
    height: HEIGHT_PX,
    legend: { show: false },
    cursor: { show: false },
    scales: { y: { range: (_chart, _min, max) => [0, Math.max(4, Math.ceil(max * 1.15))] } },
    axes: [
      {
        ...axis,
        size: 26,
        space: 90,
        incrs: [2, 5, 10, 15, 30, 60, 120],
        values: (_chart, ticks) => ticks.map((at) => preciseTime(at * 1000).slice(0, 8)),
      },
      { ...axis, size: 36, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000] },
    ],
    series: [
      {},
      {
        stroke: color(`--chart-${hue}`),
        fill: color(`--chart-${hue}-soft`),
        width: 2,
        // A single figure makes no line.
        points: { show: ({ data: [times] }) => times.length < 2 },
      },
    ],
  };
}
