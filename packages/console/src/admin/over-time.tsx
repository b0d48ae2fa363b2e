import { useEffect, useState } from 'react';
import type { StatsQuery } from '../operations/generated.ts';
import { useConsole, useMessages } from '../state/console.ts';
import { useStore } from '../state/store.ts';
import { timeOfDay } from '../ui/time.ts';
import { LineChart } from './line-chart.tsx';
import { type Samples, addSample, noSamples } from './samples.ts';

/** The figures since the page was opened: as lines, and the same as a table. */
export function OverTime({ stats }: { stats: StatsQuery['stats'] }) {
  const { admin: m } = useMessages();
  const { locale } = useStore(useConsole().preferences);
  const [{ list }, setSamples] = useState<Samples>(noSamples);
  useEffect(() => setSamples((last) => addSample(last, stats, Date.now())), [stats]);
  const times = list.map(({ at }) => at);
  const charts = [
    [m.sends, 'sends'],
    [m.connections, 'connections'],
    [m.online, 'onlineUsers'],
  ] as const;
  return (
    <section className="card" aria-labelledby="over-time">
      <h2 id="over-time">{m.overTime}</h2>
      <p className="quiet">{m.overTimeHint}</p>
      <div className="charts">
        {charts.map(([title, key], nth) => (
          <LineChart key={key} title={title} hue={nth} times={times} values={list.map((sample) => sample[key])} />
        ))}
      </div>
      <details className="more">
        <summary>{m.table}</summary>
        <div className="table-box" tabIndex={0} role="region" aria-label={m.table}>
          <table>
            <thead>
              <tr>
                <th scope="col">{m.time}</th>
                {charts.map(([title, key]) => (
                  <th key={key} scope="col">
                    {title}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {list.toReversed().map((sample) => (
                <tr key={sample.at}>
                  <th scope="row">{timeOfDay(sample.at * 1000, locale)}</th>
                  {charts.map(([, key]) => (
                    <td key={key}>{sample[key]}</td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  );
}
