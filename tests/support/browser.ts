import { type Browser, chromium } from 'playwright-core';

const ARGUMENTS = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Nothing but this machine has a name: a page that needs another one breaks. */
const THIS_MACHINE = ['MAP * ~NOTFOUND', 'EXCLUDE 127.0.0.1'];

/** A headless Chromium. Connections to `localhost` go to the port `localhost`, whatever port the address names. */
export async function launchBrowser({ localhost }: { localhost?: number } = {}): Promise<Browser> {
  const { CHROMIUM_PATH: executablePath } = process.env;
  if (executablePath === undefined) throw new Error('CHROMIUM_PATH is not set: the test run sets it');
  // An exclusion would go before the mapping.
  const ours = localhost === undefined ? 'EXCLUDE localhost' : `MAP localhost 127.0.0.1:${localhost}`;
  const rules = [ours, ...THIS_MACHINE];
  return chromium.launch({
    executablePath,
    args: [...ARGUMENTS, `--host-resolver-rules=${rules.join(' , ')}`],
  });
}
