/**
 * Text in headers, which hold visible ASCII safely and nothing else: the rest is written as UTF-8 in percents, as in addresses.
 * A header that names something a caller or a routing file made up is written with `inHeader`.
 */

/** A name: also its own percents are written so, so that two names never look alike. */
export function inHeader(name: string): string {
  return name.replace(/[^\x20-\x24\x26-\x7e]+/g, encoded);
}

/** A value that was made of names and other words: whatever came into it, it can be sent. */
export function sendable(value: string): string {
  return UNSENDABLE.test(value) ? value.replace(/[^\t\x20-\x7e]+/g, encoded) : value;
}

const UNSENDABLE = /[^\t\x20-\x7e]/;

const encoded = (text: string) => encodeURIComponent(text.toWellFormed());
