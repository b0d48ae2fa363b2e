import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { type RequestListener, type ServerResponse, createServer } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import webPush from 'web-push';
import { createBrowser } from './browser.ts';
import { selfSignedCertificate } from './certificate.ts';
import { reply, startMailServer } from './mail-server.ts';
import { type Received, keeping, listenHttp } from './support.ts';

export type Outside = 'EMAIL' | 'SMS' | 'WEBHOOK' | 'WEB_PUSH';

export const OUTSIDE: readonly Outside[] = ['EMAIL', 'SMS', 'WEBHOOK', 'WEB_PUSH'];

/** Far sides of all channels, on this machine. */
export interface FarSides extends AsyncDisposable {
  /** The settings of a server that speaks to them. */
  readonly env: Record<string, string>;
  /** Requests so far; of mail, messages that a sender began. */
  readonly attempts: Record<Outside, number>;
  /** What was accepted: titles, as each protocol carries them. */
  readonly accepted: Record<Outside, string[]>;
  readonly webhookUrl: string;
  /** What a page sends to its server. */
  readonly pushSubscription: string;
  /** What a webhook that was accepted had in its headers and body. */
  readonly webhooks: Received[];
  /** From now on this many attempts are refused for a while. */
  refuse(channel: Outside, attempts: number): void;
  /** The next attempt gets no answer. */
  hold(channel: Outside): void;
}

const each = <T>(make: () => T): Record<Outside, T> => ({
  EMAIL: make(),
  SMS: make(),
  WEBHOOK: make(),
  WEB_PUSH: make(),
});

export async function startFarSides(): Promise<FarSides> {
  await using resources = new AsyncDisposableStack();
  const attempts = each(() => 0);
  const accepted = each((): string[] => []);
  const refusals = each(() => 0);
  const held = new Set<Outside>();
  const webhooks: Received[] = [];
  const browser = createBrowser();

  /** What becomes of an attempt. */
  const verdict = (channel: Outside): 'accept' | 'refuse' | 'hold' => {
    attempts[channel] += 1;
    if (held.delete(channel)) return 'hold';
    if (refusals[channel] === 0) return 'accept';
    refusals[channel] -= 1;
    return 'refuse';
  };
  const answering =
    (channel: Outside, received: Received[], accept: (request: Received, response: ServerResponse) => void) =>
    (_request: unknown, response: ServerResponse): void => {
      const what = verdict(channel);
      if (what === 'refuse') response.writeHead(503).end();
      if (what === 'accept') accept(received.at(-1) as Received, response);
    };
  const farSide = async (answer: (received: Received[]) => RequestListener) => {
    const received: Received[] = [];
    const side = resources.use(await listenHttp(createServer(keeping(received, answer(received)))));
    return side.port;
  };

  const mail = resources.use(
    await startMailServer({
      onMailFrom(_address, _session, done) {
        const what = verdict('EMAIL');
        if (what === 'accept') done();
        if (what === 'refuse') done(reply(451, 'Try again later'));
      },
    }),
  );
  Object.defineProperty(accepted, 'EMAIL', { get: () => mail.mails.map(({ parsed }) => parsed.subject ?? '') });

  const messages = new Map<string, string>();
  const smsPort = await farSide((received) => (request, response) => {
    if (request.method === 'GET') {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"delivered"}');
      return;
    }
    answering('SMS', received, ({ body }, answer) => {
      const text = new URLSearchParams(body).get('Body') ?? '';
      const sid = `SM${messages.size}`;
      messages.set(sid, text);
      accepted.SMS.push(text.split('\n')[0] as string);
      answer.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify({ sid, status: 'queued' }));
    })(request, response);
  });

  const webhookPort = await farSide((received) =>
    answering('WEBHOOK', received, (request, response) => {
      webhooks.push(request);
      accepted.WEBHOOK.push(JSON.parse(request.body).data.title);
      response.writeHead(204).end();
    }),
  );

  const { key, cert } = await selfSignedCertificate('localhost');
  const folder = await mkdtemp(join(tmpdir(), 'carillon-push-'));
  resources.defer(() => rm(folder, { recursive: true }));
  const certificateFile = join(folder, 'cert.pem');
  await writeFile(certificateFile, cert);
  const pushed: Received[] = [];
  const push = resources.use(
    await listenHttp(
      createHttpsServer(
        { key, cert },
        keeping(
          pushed,
          answering('WEB_PUSH', pushed, ({ bytes }, response) => {
            accepted.WEB_PUSH.push((browser.decrypt(bytes) as { title: string }).title);
            response.writeHead(201).end();
          }),
        ),
      ),
    ),
  );

  const vapid = webPush.generateVAPIDKeys();
  const owned = resources.move();
  return {
    env: {
      SMTP_URL: `smtp://127.0.0.1:${mail.port}`,
      MAIL_FROM: 'bell@example.com',
      SMS_API_URL: `http://127.0.0.1:${smsPort}`,
      SMS_ACCOUNT_SID: 'AC1',
      SMS_AUTH_TOKEN: 'token',
      SMS_FROM: '+15550100',
      VAPID_PUBLIC_KEY: vapid.publicKey,
      VAPID_PRIVATE_KEY: vapid.privateKey,
      VAPID_SUBJECT: 'mailto:bell@example.com',
      WEBHOOK_ALLOW_PRIVATE: 'true',
      NODE_EXTRA_CA_CERTS: certificateFile,
    },
    attempts,
    accepted,
    webhooks,
    webhookUrl: `http://127.0.0.1:${webhookPort}/hook`,
    pushSubscription: JSON.stringify(browser.subscription(`https://localhost:${push.port}/send/1`)),
    refuse: (channel, count) => {
      refusals[channel] = count;
    },
    hold: (channel) => held.add(channel),
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
