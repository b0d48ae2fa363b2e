import { styleText } from 'node:util';

type Format = Parameters<typeof styleText>[0];

/** Adds colours to text. */
export type Paint = (format: Format, text: string) => string;

/**
 * Colours for what goes to a stream: on a terminal, unless NO_COLOR is set, and wherever FORCE_COLOR is. Elsewhere text
 * stays as it is.
 */
export const paintFor =
  (stream: NodeJS.WriteStream): Paint =>
  (format, text) =>
    styleText(format, text, { stream });

/** Text with its control characters written out: a name cannot move the cursor, or begin a line or column of its own. */
export const visible = (text: string): string =>
  text.replace(/\p{Cc}/gu, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
