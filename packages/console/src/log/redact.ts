const HIDDEN = '•••';

/** A JWT, wherever it stands. */
const JWT = /\beyJ[\w-]+\.[\w-]+(\.[\w-]*)?/g;
/** Values of fields that hold secrets, in JSON. */
const JSON_FIELD = /("(?:access_token|refresh_token|password|token|[Aa]uthorization)"\s*:\s*")((?:[^"\\]|\\.)*)/g;
/** And in the query of an address. */
const QUERY_FIELD = /([?&]token=)[^&#\s"]*/g;
const BEARER = /(Bearer\s+)[^\s"]+/g;

/** Takes secrets out of texts: those that it was told, and whatever looks like one. */
export class Redactor {
  readonly #secrets = new Set<string>();

  /** From now on this text is shown nowhere. */
  hide(secret: string): void {
    if (secret === '') return;
    this.#secrets.add(secret);
    this.#secrets.add(encodeURIComponent(secret));
  }

  redact(text: string): string {
    let shown = text;
    for (const secret of this.#secrets) shown = shown.replaceAll(secret, HIDDEN);
    return shown
      .replace(JSON_FIELD, `$1${HIDDEN}`)
      .replace(QUERY_FIELD, `$1${HIDDEN}`)
      .replace(BEARER, `$1${HIDDEN}`)
      .replace(JWT, HIDDEN);
  }
}
