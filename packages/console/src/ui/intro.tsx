import { useState } from 'react';
import { useConsole, useMessages } from '../state/console.ts';
import type { ServerInfo } from '../state/server-info.ts';

/** What Carillon is, for whoever comes for the first time; with demo users, both panes are one press away. */
export function Intro({ demo }: { demo: ServerInfo['demo'] }) {
  const { panes } = useConsole();
  const m = useMessages();
  const [fault, setFault] = useState<string | null>(null);
  const [first, second] = pair(demo);
  const start = async (): Promise<void> => {
    if (!demo || !first || !second) return;
    const credentials = (username: string) => ({ username, password: demo.password, tenant: demo.tenant });
    try {
      await Promise.all([
        panes.left.session.login(credentials(first), false),
        panes.right.session.login(credentials(second), false),
      ]);
    } catch (error) {
      setFault((error as Error).message);
    }
  };
  return (
    <section className="intro">
      <div>
        <h1>{m.intro.title}</h1>
        <p>{m.intro.lead}</p>
      </div>
      {first && second ? (
        <div className="intro-start">
          <button type="button" className="primary large" onClick={() => void start()}>
            {m.intro.demo}
          </button>
          <p className="hint">{m.intro.demoHint(first, second)}</p>
          {fault !== null && (
            <p className="fault" role="alert">
              {fault}
            </p>
          )}
        </div>
      ) : (
        <ol className="steps">
          {m.intro.steps.map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Somebody who may see everything, and somebody who may not. */
function pair(demo: ServerInfo['demo']): [string | undefined, string | undefined] {
  const users = demo?.users ?? [];
  const first = users.find(({ roles }) => roles.includes('admin')) ?? users[0];
  const second = users.findLast((user) => user !== first);
  return [first?.username, second?.username];
}
