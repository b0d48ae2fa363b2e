const MARK = '~';

/** The title of a numbered send; it is the only part of a notification that holds the mark. */
export const titleOf = (number: number): string => `Report ${MARK}${number}${MARK} is ready`;

/** The number of the send that was delivered; nothing for one without a number. */
export function numberIn(frame: Buffer): number | undefined {
  const start = frame.indexOf(MARK) + 1;
  return start === 0 ? undefined : Number(frame.toString('latin1', start, frame.indexOf(MARK, start)));
}
