/**
 * How many bytes the platform's own functions copy and scan during a piece of work: its cost, without a clock.
 * A further function that scans bytes is a row of FUNCTIONS.
 */
import { spyOn } from "bun:test";

const lengthOf = (value: unknown): number => Number(Object(value).byteLength ?? 0);

/** @returns the bytes that were copied or scanned during the work */
export function metered(work: () => void): number {
  let bytes = 0;
  const { concat } = Buffer;
  const { set, indexOf, slice } = Uint8Array.prototype;
  const { indexOf: indexInBuffer } = Buffer.prototype;
  const spies = [
    spyOn(Buffer, "concat").mockImplementation((...given: Parameters<typeof concat>) => {
      for (const part of given[0]) bytes += lengthOf(part);
      return concat.apply(Buffer, given);
    }),
    spyOn(Uint8Array.prototype, "set").mockImplementation(function (this: Uint8Array, ...given) {
      bytes += lengthOf(given[0]);
      return set.apply(this, given);
    }),
    spyOn(Uint8Array.prototype, "slice").mockImplementation(function (this: Uint8Array, ...given) {
      const sliced = slice.apply(this, given);
      bytes += lengthOf(sliced);
      return sliced;
    }),
    spyOn(Uint8Array.prototype, "indexOf").mockImplementation(function (this: Uint8Array, ...given) {
      const at = indexOf.apply(this, given);
      bytes += (at === -1 ? this.byteLength : at) - (given[1] ?? 0);
      return at;
    }),
    spyOn(Buffer.prototype, "indexOf").mockImplementation(function (
      this: Buffer,
      ...given: Parameters<typeof indexInBuffer>
    ) {
      const at: number = indexInBuffer.apply(this, given);
      bytes += (at === -1 ? this.byteLength : at) - Number(given[1] ?? 0);
      return at;
    }),
  ];
  try {
    work();
  } finally {
    for (const spy of spies) spy.mockRestore();
  }
  return bytes;
}
