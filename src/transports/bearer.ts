/** The token of an `Authorization` value; `undefined` when there is none, and '' when it is of another scheme. */
export function bearerToken(authorization: unknown): string | undefined {
  if (authorization === undefined || authorization === null || authorization === '') return undefined;
  if (typeof authorization !== 'string') return '';
  return /^Bearer +(\S+) *$/i.exec(authorization)?.[1] ?? '';
}
