import { describe, expect, test } from '@jest/globals';
import { createEmailChannel } from '../../src/channels/email.ts';
import { loadConfig } from '../../src/config.ts';
import { expectNoLeaks } from '../support/leaks.ts';
import { selfSignedCertificate, trustedCertificate } from './certificate.ts';
import { type MailServer, reply, startMailServer } from './mail-server.ts';
import { deliver, failureOf, listenRaw, outbound, silent } from './support.ts';

type Env = Record<string, string>;

const channelWith = (env: Env) =>
  createEmailChannel(loadConfig({ MAIL_FROM: 'bell@carillon.example', ...env }), silent);

const channelAt = (port: number, env: Env = {}) => channelWith({ SMTP_URL: `smtp://127.0.0.1:${port}`, ...env });

/** The one mail that a server got. */
function only({ mails }: MailServer) {
  expect(mails).toHaveLength(1);
  return mails[0]!;
}

async function mailOf(notification: Parameters<typeof outbound>[0] & object, env: Env = {}) {
  await using server = await startMailServer();
  await using channel = channelAt(server.port, env);
  expect(await deliver(channel, notification)).toEqual({ status: 'SENT' });
  return only(server);
}

test('the first setting that is missing is named', () => {
  expect(channelWith({}).missingSetting).toBe('SMTP_URL');
  expect(channelAt(25, { MAIL_FROM: '' }).missingSetting).toBe('MAIL_FROM');
  expect(channelAt(25)).toMatchObject({ missingSetting: undefined, audience: 'recipient' });
});

describe('the address', () => {
  const channel = channelWith({});

  test.each([
    ['uma@example.com', 'uma@example.com'],
    ["Uma.O'Neil+bell@Example.COM", "Uma.O'Neil+bell@example.com"],
    ['uma@müller.example', 'uma@xn--mller-kva.example'],
    ['uma@sub.xn--p1ai', 'uma@sub.xn--p1ai'],
  ])('%s is %s', (text, expected) => {
    expect(channel.address(text)).toBe(expected);
  });

  test.each([
    '',
    'uma',
    'uma@',
    '@example.com',
    'uma@example',
    'uma@localhost',
    'uma@127.0.0.1',
    'uma@[127.0.0.1]',
    'uma@@example.com',
    'uma@example.com@example.org',
    'Uma <uma@example.com>',
    '<uma@example.com>',
    'uma@example.com, sam@example.com',
    'uma@example.com;sam@example.com',
    'all: uma@example.com;',
    'uma@example.com\r\nBcc: sam@example.com',
    'uma\n@example.com',
    'uma @example.com',
    ' uma@example.com',
    'uma@exam ple.com',
    'uma@example.com\0',
    '"uma sam"@example.com',
    'ümä@example.com',
    `${'u'.repeat(65)}@example.com`,
    `uma@${'a.'.repeat(130)}com`,
    'uma(comment)@example.com',
    'uma@-example.com',
    'uma@example..com',
  ])('%j is refused', (text) => {
    expect(() => channel.address(text)).toThrow('must be an e-mail address, and nothing beside it');
  });
});

describe('a mail', () => {
  test('is plain text and HTML, from the operator to the one recipient', async () => {
    const { from, to, parsed, header } = await mailOf({
      id: '8f0bd1c8-6a5a-4a8c-9d5d-0f5a0e3f2b11',
      notification: { title: 'Lunch', content: 'At noon?\nOr later?', link: 'https://example.com/lunch?a=1&b=2' },
    });
    expect([from, to]).toEqual(['bell@carillon.example', ['uma@example.com']]);
    expect(parsed).toMatchObject({
      from: { address: 'bell@carillon.example', name: '' },
      to: [{ address: 'uma@example.com', name: '' }],
      subject: 'Lunch',
      messageId: '<8f0bd1c8-6a5a-4a8c-9d5d-0f5a0e3f2b11@carillon.example>',
      date: '2026-03-01T11:00:00.000Z',
      text: 'At noon?\nOr later?\n\nhttps://example.com/lunch?a=1&b=2\n',
      attachments: [],
    });
    expect(parsed.html).toContain('<h1 style="font-size: 1.25em">Lunch</h1>\n<p>At noon?<br>\nOr later?</p>');
    expect(parsed.html).toContain(
      '<a href="https://example.com/lunch?a=1&amp;b=2">https://example.com/lunch?a=1&amp;b=2</a>',
    );
    expect(header('auto-submitted')).toBe('auto-generated');
    expect(header('content-type')).toMatch(/^multipart\/alternative/);
    expect(header('x-mailer')).toBeUndefined();
  });

  test('has the same id and date on every attempt', async () => {
    await using server = await startMailServer();
    await using channel = channelAt(server.port);
    const same = outbound();
    await channel.deliver(same, AbortSignal.timeout(5000));
    await channel.deliver(same, AbortSignal.timeout(5000));
    const [first, second] = server.mails;
    expect(second!.header('message-id')).toBe(first!.header('message-id'));
    expect(second!.header('date')).toBe(first!.header('date'));
    // Mails one after the other share a connection.
    expect(server.connections()).toBe(1);
  });

  test('keeps any text as it is, in a subject of many lines too', async () => {
    const title = 'Grüße an alle 🔔 通知 '.repeat(20).trim();
    const content = `Ünïcode 🔔\n.\n..\nFrom here\n${'long '.repeat(500)}\n\ttab`;
    const { raw, parsed } = await mailOf({ notification: { title, content } });
    expect(parsed.subject).toBe(title);
    expect(parsed.text).toBe(`${content}\n`);
    expect(raw).toMatch(/^[\r\n\t\x20-\x7e]*$/);
    expect(Math.max(...raw.split('\r\n').map((line) => line.length))).toBeLessThanOrEqual(998);
  });

  test.each([
    ['Lunch\r\nBcc: mallory@example.com', 'Lunch Bcc: mallory@example.com'],
    ['Lunch\nSubject: two\r\n\r\n<b>body</b>', 'Lunch Subject: two <b>body</b>'],
    ['Lunch\r X-Evil: 1\u2028X-Evil: 2\u0085X-Evil: 3\0', 'Lunch X-Evil: 1 X-Evil: 2 X-Evil: 3'],
    ['=?utf-8?q?Bcc:_mallory?=', '=?utf-8?q?Bcc:_mallory?='],
  ])('has no header of the sender’s making: %j', async (title, subject) => {
    const { to, parsed } = await mailOf({ notification: { title } });
    expect(to).toEqual(['uma@example.com']);
    expect(parsed.subject).toBe(subject);
    expect(parsed.headers.map(({ key }) => key).toSorted()).toEqual([
      'auto-submitted',
      'content-type',
      'date',
      'from',
      'list-unsubscribe',
      'message-id',
      'mime-version',
      'subject',
      'to',
    ]);
  });

  test('has no markup of the sender’s making', async () => {
    const evil = `<script>alert('1')</script>"&amp;`;
    const { parsed } = await mailOf({
      notification: { title: evil, content: evil, link: 'https://example.com/"><img/src=x>' },
    });
    expect(parsed.html).not.toMatch(/<script|<img/);
    expect(parsed.html).toContain('<p>&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot;&amp;amp;</p>');
    expect(parsed.html).toContain('<a href="https://example.com/&quot;&gt;&lt;img/src=x&gt;">');
  });

  test('leaves out a path of the same site, unless the site is known', async () => {
    const notification = { content: 'At noon?', link: '/lunch?a=1' };
    const without = await mailOf({ notification });
    expect(without.parsed.text).toBe('At noon?\n');
    expect(without.parsed.html).not.toContain('lunch?a=1');
    const { parsed } = await mailOf({ notification }, { PUBLIC_URL: 'https://app.example.com' });
    expect(parsed.text).toBe('At noon?\n\nhttps://app.example.com/lunch?a=1\n');
    expect(parsed.html).toContain('href="https://app.example.com/lunch?a=1"');
  });

  test.each([
    ['Carillon <bell@carillon.example>', { name: 'Carillon', address: 'bell@carillon.example' }],
    ['"Bells, Inc." <bell@carillon.example>', { name: 'Bells, Inc.', address: 'bell@carillon.example' }],
    ['Glöckner <bell@carillon.example>', { name: 'Glöckner', address: 'bell@carillon.example' }],
  ])('comes from %s', async (MAIL_FROM, expected) => {
    const { from, parsed } = await mailOf({}, { MAIL_FROM });
    expect(from).toBe('bell@carillon.example');
    expect(parsed.from).toEqual(expected);
  });
});

describe('the way to unsubscribe', () => {
  test('is a mail to the sender by default', async () => {
    const { header } = await mailOf({}, { MAIL_FROM: 'Bells <bell+out?x@carillon.example>' });
    expect(header('list-unsubscribe')).toBe('<mailto:bell%2Bout%3Fx@carillon.example?subject=unsubscribe>');
    expect(header('list-unsubscribe-post')).toBeUndefined();
  });

  test('is one click where it is an https address, with tenant and user in it', async () => {
    const { header } = await mailOf(
      { notification: { tenantId: 'a/c&me>', recipientId: 'ümä\r\nX: {tenant}' } },
      { UNSUBSCRIBE_URL: 'https://app.example.com/{tenant}/off?u={user}&again={user}' },
    );
    const user = '%C3%BCm%C3%A4%0D%0AX%3A%20%7Btenant%7D';
    expect(header('list-unsubscribe')).toBe(`<https://app.example.com/a%2Fc%26me%3E/off?u=${user}&again=${user}>`);
    expect(header('list-unsubscribe-post')).toBe('List-Unsubscribe=One-Click');
  });

  test('is no click over http', async () => {
    const { header } = await mailOf({}, { UNSUBSCRIBE_URL: 'http://intranet/off?u={user}' });
    expect(header('list-unsubscribe')).toBe('<http://intranet/off?u=uma>');
    expect(header('list-unsubscribe-post')).toBeUndefined();
  });
});

describe('a reply of', () => {
  const refusing = (where: 'onRcptTo' | 'onMailFrom', code: number) => ({
    [where]: (_address: unknown, _session: unknown, done: (error: Error) => void) => done(reply(code, 'at 10.0.0.1')),
  });

  test.each([
    [450, false],
    [451, false],
    [452, false],
    [550, true],
    [551, true],
    [553, true],
  ])('%d to the recipient is permanent: %p', async (code, permanent) => {
    await using server = await startMailServer(refusing('onRcptTo', code));
    await using channel = channelAt(server.port);
    const failure = await failureOf(deliver(channel, {}));
    expect(failure).toMatchObject({ permanent, dropAddress: false });
    expect(failure.message).toMatch(
      new RegExp(`^The mail server refused the recipient \\(${code} \\d\\.\\d\\.\\d\\)\\.$`),
    );
  });

  test.each([
    [451, false],
    [552, true],
    [554, true],
  ])('%d to the mail is permanent: %p', async (code, permanent) => {
    await using server = await startMailServer({
      onData(stream, _session, done) {
        stream.resume().on('end', () => done(reply(code, 'at 10.0.0.1')));
      },
    });
    await using channel = channelAt(server.port);
    const failure = await failureOf(deliver(channel, {}));
    expect(failure).toMatchObject({ permanent, dropAddress: false });
    expect(failure.message).toMatch(new RegExp(`^The mail server refused the mail \\(${code}`));
    expect(failure.message).not.toContain('10.0.0.1');
  });

  test.each([421, 451, 550])('%d to this server as a sender may pass', async (code) => {
    await using server = await startMailServer(refusing('onMailFrom', code));
    await using channel = channelAt(server.port);
    const failure = await failureOf(deliver(channel, {}));
    expect(failure).toMatchObject({ permanent: false });
    expect(failure.message).toMatch(new RegExp(`^The mail server refused this server \\(${code}`));
  });

  test.each([421, 554])('%d to the connection may pass', async (code) => {
    await using server = await startMailServer({ onConnect: (_session, done) => done(reply(code, 'no')) });
    await using channel = channelAt(server.port);
    expect(await failureOf(deliver(channel, {}))).toMatchObject({ permanent: false });
  });

  test('535 to the login may pass, and shows no password', async () => {
    await using server = await startMailServer({
      disabledCommands: ['STARTTLS'],
      allowInsecureAuth: true,
      authOptional: false,
      onAuth: (_auth, _session, done) => done(reply(535, 'no')),
    });
    await using channel = channelAt(server.port, { SMTP_URL: `smtp://bell:hidden@127.0.0.1:${server.port}` });
    const failure = await failureOf(deliver(channel, {}));
    expect(failure).toMatchObject({ permanent: false });
    expect(failure.message).toMatch(/^The mail server refused this server \(535/);
    expect(failure.message).not.toContain('hidden');
  });
});

describe('a mail server', () => {
  test('is logged in to over TLS', async () => {
    using certificate = await trustedCertificate('localhost');
    const logins: unknown[] = [];
    await using server = await startMailServer({
      ...certificate,
      secure: true,
      disabledCommands: [],
      authOptional: false,
      onAuth({ username, password }, _session, done) {
        logins.push([username, password]);
        done(null, { user: 'bell' });
      },
    });
    await using channel = channelWith({ SMTP_URL: `smtps://bell:p%40ss@localhost:${server.port}` });
    expect(await deliver(channel, {})).toEqual({ status: 'SENT' });
    expect(logins).toEqual([['bell', 'p@ss']]);
    expect(only(server).parsed.subject).toBe('Lunch');
  });

  test('gets nothing when its certificate is not trusted', async () => {
    const { key, cert } = await selfSignedCertificate('localhost');
    await using server = await startMailServer({ secure: true, key, cert });
    await using channel = channelWith({ SMTP_URL: `smtps://localhost:${server.port}` });
    expect(await failureOf(deliver(channel, {}))).toMatchObject({ permanent: false });
    expect(server.mails).toEqual([]);
  });

  test.each(['greets', 'greets and closes the connection'])(
    'that never %s fails the attempt, which may pass',
    async (how) => {
      const { promise: closed, resolve } = Promise.withResolvers<void>();
      await using server = await listenRaw((socket) => {
        socket.on('close', resolve);
        if (how !== 'greets') socket.end();
      });
      await using channel = channelAt(server.port);
      const failure = await failureOf(deliver(channel, {}, AbortSignal.timeout(how === 'greets' ? 200 : 5000)));
      const message =
        how === 'greets' ? 'The mail server did not answer in time.' : 'The mail server could not be reached.';
      expect(failure).toMatchObject({ permanent: false, message });
      await closed;
    },
  );

  test('that takes a mail and never says so is left when the time is over, and the next mail goes out', async () => {
    let hang = true;
    await using server = await startMailServer({
      onData(stream, _session, done) {
        stream.resume().on('end', () => (hang ? undefined : done()));
      },
    });
    await using channel = channelAt(server.port);
    expect(await failureOf(deliver(channel, {}, AbortSignal.timeout(300)))).toMatchObject({ permanent: false });
    hang = false;
    expect(await deliver(channel, {})).toEqual({ status: 'SENT' });
  });

  test('that nobody runs fails the attempt, which may pass and tells no address', async () => {
    const server = await startMailServer();
    await server[Symbol.asyncDispose]();
    await using channel = channelAt(server.port);
    const failure = await failureOf(deliver(channel, {}));
    expect(failure).toMatchObject({ permanent: false, message: 'The mail server could not be reached.' });
  });

  test('gets many mails at once over no more connections than attempts may be under way', async () => {
    await using server = await startMailServer();
    await using channel = channelAt(server.port, { DELIVERY_CONCURRENCY: '3' });
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => deliver(channel, {})));
    expect(outcomes).toEqual(Array.from({ length: 20 }, () => ({ status: 'SENT' })));
    expect(server.connections()).toBeLessThanOrEqual(3);
    expect(new Set(server.mails.map(({ parsed }) => parsed.messageId)).size).toBe(20);
  });

  test('is left by a channel that is disposed of', async () => {
    await using server = await startMailServer();
    await expectNoLeaks(async () => {
      await using channel = channelAt(server.port);
      await deliver(channel, {});
    });
  });

  test('is left when an attempt is ended for another reason, which it fails with', async () => {
    const ending = new AbortController();
    await using server = await listenRaw(() => ending.abort(new Error('going down')));
    await using channel = channelAt(server.port);
    await expect(deliver(channel, {}, ending.signal)).rejects.toThrow('going down');
  });
});
