/**
 * Garbage collected before the runtime would: it counts little of what lies outside its heap (buffers of replies and vectors), and lets
 * hundreds of megabytes of them stand. For whoever moves many bytes for a long time, as a bulk job does.
 */

/** Garbage that is let stand, at most. */
const BYTES_BETWEEN = 40 * 2 ** 20;

/** @returns to be told of bytes that were in use, and are not any more */
export function createCollecting(): (bytes: number) => void {
  let bytesSince = 0;
  return (bytes) => {
    bytesSince += bytes;
    if (bytesSince < BYTES_BETWEEN) return;
    bytesSince = 0;
    Bun.gc(true);
  };
}
