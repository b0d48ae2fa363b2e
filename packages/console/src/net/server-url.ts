/** Where the server of this page is, without a slash at its end. */
export const serverUrl = new URL('.', location.href).href.replace(/\/$/, '');
