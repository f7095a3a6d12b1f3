/**
 * Memory for large replies, used again for the next ones: to get fresh memory takes longer than to fill it, and what was not collected yet adds
 * up. Whoever has read a reply gives its memory back; what nobody needs for a while is freed. How much is kept is decided here.
 */
import type { Outside } from "../domain/outside";

/** Smaller memory is had in no time. */
export const LENT_BYTES_MIN = 200_000;
/** As many replies as are mostly received at once. */
const KEPT_MAX = 2;
const KEPT_BYTES_MAX = 48 * 2 ** 20;
/** Unused for this long, it is freed. */
const KEPT_MS = 2_000;
/** A reply may use memory up to this many times its size. */
const SPACIOUS = 1.5;

/** The size of the reply in each. */
const lent = new WeakMap<ArrayBuffer, number>();
const kept: ArrayBuffer[] = [];

/** Bytes that are not filled: to be shown to nobody before they all are. */
export function lend(size: number): Uint8Array<ArrayBuffer> {
  const place = kept.findIndex(
    ({ byteLength }) => byteLength >= size && byteLength <= Math.max(size * SPACIOUS, LENT_BYTES_MIN),
  );
  const [buffer = fresh(size)] = place === -1 ? [] : kept.splice(place, 1);
  lent.set(buffer, size);
  return new Uint8Array(buffer, 0, size);
}

/** Not filled with zeros, which would take as long again. A little more than asked for: the next reply is hardly ever of the same size. */
const fresh = (size: number) => Buffer.allocUnsafeSlow(Math.ceil(size * 1.02)).buffer;

/** Whether these are all bytes that were lent in this buffer. */
export const isLent = ({ buffer, byteOffset, byteLength }: Uint8Array): boolean =>
  buffer instanceof ArrayBuffer && byteOffset === 0 && lent.get(buffer) === byteLength;

/** What was lent, or other memory that nobody needs any more. The bytes are gone: whoever still holds them finds none. */
export function giveBack({ buffer }: Uint8Array<ArrayBuffer>, alarm: Outside["alarm"]): void {
  if (!lent.delete(buffer) || buffer.byteLength > KEPT_BYTES_MAX) {
    buffer.transfer(0);
    return;
  }
  const own = buffer.transfer();
  kept.push(own);
  while (kept.length > KEPT_MAX || keptBytes() > KEPT_BYTES_MAX) kept.shift()?.transfer(0);
  alarm(KEPT_MS, () => {
    const place = kept.indexOf(own);
    if (place !== -1) kept.splice(place, 1)[0]?.transfer(0);
  });
}

const keptBytes = () => kept.reduce((sum, { byteLength }) => sum + byteLength, 0);
