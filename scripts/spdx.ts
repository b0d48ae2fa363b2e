/**
 * Whether a licence expression of SPDX can be met with `allowed` ids alone: of `OR` one side is enough, of `AND` both are
 * needed, and `AND` binds closer. What is no such expression, or says `WITH` an exception, is not met.
 * https://spdx.github.io/spdx-spec/v3.0.1/annexes/spdx-license-expressions/
 */
export function satisfies(expression: string, allowed: ReadonlySet<string>): boolean {
  const words = expression.match(/[()]|[^\s()]+/g) ?? [];
  let at = 0;

  function either(): boolean {
    let met = both();
    while (words[at] === 'OR') {
      at++;
      met = both() || met;
    }
    return met;
  }
  function both(): boolean {
    let met = one();
    while (words[at] === 'AND') {
      at++;
      met = one() && met;
    }
    return met;
  }
  function one(): boolean {
    const word = words[at++];
    if (word !== '(') return word !== undefined && allowed.has(word);
    const met = either();
    return words[at++] === ')' && met;
  }

  const met = either();
  return met && at === words.length;
}
