import type { SendMailOptions } from 'nodemailer';
import { encodeWord } from 'nodemailer/lib/mime-funcs';
import type { Config } from '../config.ts';
import type { Outbound } from '../services/channel.ts';

export type MailSettings = Pick<Config, 'mailFrom' | 'publicUrl' | 'unsubscribeUrl'>;

const escapes: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => escapes[character]!);

/** In one line: control characters, and what Unicode has as line ends, have no place in a header. */
function subjectOf(title: string): string {
  const line = title.replace(/[\p{Cc}\p{Zl}\p{Zp}][\p{Cc}\s]*/gu, ' ').trim();
  // An encoded word in a title is text like any other, and would be read as what it encodes.
  return line.includes('=?') ? encodeWord(line, 'Q', 52) : line;
}

/** The link as it can be followed from a mail: a path of the same site leads somewhere only when the site is known. */
function linkInMail(link: string | null, publicUrl: string | undefined): string | undefined {
  if (link === null || !link.startsWith('/')) return link ?? undefined;
  return publicUrl === undefined ? undefined : new URL(link, publicUrl).href;
}

function htmlOf({ title, content }: Outbound['notification'], link: string | undefined): string {
  const anchor = link === undefined ? '' : `<p><a href="${escapeHtml(link)}">${escapeHtml(link)}</a></p>\n`;
  return `<!doctype html>
<html>
<head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head>
<body dir="auto">
<h1 style="font-size: 1.25em">${escapeHtml(title)}</h1>
<p>${escapeHtml(content).replace(/\r\n?|\n/g, '<br>\n')}</p>
${anchor}</body>
</html>
`;
}

function unsubscribeUrlOf({ tenantId, recipientId }: Outbound['notification'], address: string, url?: string): string {
  if (url === undefined) {
    const at = address.lastIndexOf('@');
    return `mailto:${encodeURIComponent(address.slice(0, at))}${address.slice(at)}?subject=unsubscribe`;
  }
  const values: Record<string, string> = { tenant: tenantId, user: recipientId };
  return url.replace(/\{(tenant|user)\}/g, (_, name: string) => encodeURIComponent(values[name]!));
}

/**
 * The mail of a notification: a part of plain text and one of HTML, and a List-Unsubscribe header, of one click (RFC 8058)
 * where it is an https address. All attempts at one delivery have the same Message-ID and date. Nothing of a notification
 * becomes markup or a header of its own.
 */
export function composeMail(
  { id, address, notification }: Outbound,
  { mailFrom = { name: '', address: '' }, publicUrl, unsubscribeUrl }: MailSettings,
): SendMailOptions {
  const { title, content, createdAt } = notification;
  const link = linkInMail(notification.link, publicUrl);
  const unsubscribe = unsubscribeUrlOf(notification, mailFrom.address, unsubscribeUrl);
  return {
    from: mailFrom,
    to: { name: '', address },
    subject: subjectOf(title),
    date: createdAt,
    messageId: `<${id}@${mailFrom.address.slice(mailFrom.address.lastIndexOf('@') + 1)}>`,
    text: link === undefined ? content : `${content}\n\n${link}`,
    html: htmlOf(notification, link),
    list: { unsubscribe },
    headers: {
      // Keeps absence notes and the like from answering (RFC 3834).
      'Auto-Submitted': 'auto-generated',
      ...(unsubscribe.startsWith('https:') ? { 'List-Unsubscribe-Post': 'List-Unsubscribe=One-Click' } : {}),
    },
    xMailer: false,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}
