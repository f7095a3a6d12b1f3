/**
 * Garbage collected before the runtime would: it counts little of what lies outside its heap (buffers of replies and vectors), and lets
 * hundreds of megabytes of them stand. For work that moves many bytes for a long time, such as a bulk job.
 */

/** How often the memory is looked at. */
const BYTES_BETWEEN = 24 * 2 ** 20;
/** Of the whole process: below, the runtime is left to itself. */
const RESIDENT_BYTES = 230 * 2 ** 20;

/** @returns to be told of bytes that were in use, and are not any more */
export function createCollecting(): (bytes: number) => void {
  let bytesSince = 0;
  return (bytes) => {
    bytesSince += bytes;
    if (bytesSince < BYTES_BETWEEN) return;
    bytesSince = 0;
    if (process.memoryUsage.rss() > RESIDENT_BYTES) Bun.gc(true);
  };
}
