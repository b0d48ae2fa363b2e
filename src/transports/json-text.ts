/** A value and what parts it from the next one are at least two bytes. */
const LEAST_BYTES_PER_VALUE = 2;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const OPENING_BRACKET = 0x5b;
const OPENING_BRACE = 0x7b;

/**
 * Whether a JSON text has more than so many values in its lists and objects, before anything of it is parsed: a parser
 * takes in a thousand times the time of its reading for what is all small values, and it cannot be stopped.
 */
export function hasMoreValues(text: Uint8Array, most: number): boolean {
  if (text.length <= most * LEAST_BYTES_PER_VALUE) return false;
  let values = 1;
  let isInside = false;
  for (let at = 0; at < text.length; at += 1) {
    const byte = text[at];
    if (isInside) {
      if (byte === QUOTE) isInside = false;
      else if (byte === BACKSLASH) at += 1;
    } else if (byte === QUOTE) isInside = true;
    else if (byte === COMMA || byte === OPENING_BRACKET || byte === OPENING_BRACE) {
      values += 1;
      if (values > most) return true;
    }
  }
  return false;
}
