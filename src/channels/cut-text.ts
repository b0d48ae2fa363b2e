/**
 * The text, or as many of its first characters as measure at most `most` together with the mark at their end. No
 * character is cut in two.
 *
 * @param measure of a text: the sum of what its characters measure.
 */
export function cutText(text: string, most: number, mark: string, measure: (text: string) => number): string {
  if (measure(text) <= most) return text;
  let left = most - measure(mark);
  if (left < 0) return '';
  let end = 0;
  for (const character of text) {
    left -= measure(character);
    if (left < 0) break;
    end += character.length;
  }
  return text.slice(0, end) + mark;
}
