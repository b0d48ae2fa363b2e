import type { StatsQuery } from '../operations/generated.ts';
import { useConsole, useMessages } from '../state/console.ts';
import { useStore } from '../state/store.ts';

/** The figures of this moment. */
export function Figures({
  stats: { onlineUsers, connections, today, pushSuccessRate },
}: {
  stats: StatsQuery['stats'];
}) {
  const { admin: m } = useMessages();
  const { locale } = useStore(useConsole().preferences);
  const number = new Intl.NumberFormat(locale);
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 1 });
  const share = (value: number | null): string => (value === null ? m.none : percent.format(value));
  const figures: [string, string][] = [
    [m.online, number.format(onlineUsers)],
    [m.connections, number.format(connections)],
    [m.sendsToday, number.format(today.sends)],
    [m.readShare, share(today.readShare)],
    [m.pushes, share(pushSuccessRate)],
  ];
  return (
    <dl className="figures">
      {figures.map(([name, value]) => (
        <div key={name} className="figure">
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}
