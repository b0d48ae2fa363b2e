import { useMessages } from '../state/console.ts';

export interface BarTableProps {
  title: string;
  bars: readonly (readonly [name: string, count: number])[];
}

/** Counts by name, as bars. It is a table: the figures are read out, the bars are not. */
export function BarTable({ title, bars }: BarTableProps) {
  const { admin: m } = useMessages();
  const most = Math.max(1, ...bars.map(([, count]) => count));
  return (
    <section className="card">
      <table className="bars">
        <caption>
          {title} <span className="quiet">{m.last24}</span>
        </caption>
        <thead className="sr-only">
          <tr>
            <th scope="col">{title}</th>
            <th scope="col">{m.count}</th>
          </tr>
        </thead>
        <tbody>
          {bars.map(([name, count]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <span className="bar-track" aria-hidden="true">
                  <span className="bar" style={{ width: `${(count / most) * 100}%` }} />
                </span>
                <span className="bar-count">{count}</span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
