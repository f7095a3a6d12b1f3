/**
 * Text in headers, which can safely contain visible ASCII only: the rest is percent-encoded UTF-8, as in URLs.
 * A header with a name from a caller or a routing file is written with `inHeader`.
 */

/** A name: its own percent signs are encoded too, so that two names never look alike. */
export function inHeader(name: string): string {
  return name.replace(/[^\x20-\x24\x26-\x7e]+/g, encoded);
}

/** A value that contains names: whatever is in it, it can be sent. */
export function sendable(value: string): string {
  return UNSENDABLE.test(value) ? value.replace(/[^\t\x20-\x7e]+/g, encoded) : value;
}

const UNSENDABLE = /[^\t\x20-\x7e]/;

const encoded = (text: string) => encodeURIComponent(text.toWellFormed());
