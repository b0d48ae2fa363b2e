import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import '@carillon/react/styles.css';
import { App } from './app.tsx';
import { ConsoleContext, createConsole } from './state/console.ts';
import { loadServerInfo } from './state/server-info.ts';

const root = createRoot(document.getElementById('root') as HTMLElement);
const console = createConsole();
const info = await loadServerInfo();
root.render(
  <StrictMode>
    <ConsoleContext value={console}>
      <App info={info} />
    </ConsoleContext>
  </StrictMode>,
);
