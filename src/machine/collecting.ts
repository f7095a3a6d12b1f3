/**
 * Runs garbage collection earlier than the runtime would: the runtime hardly counts memory outside of its heap (buffers of replies and vectors), and
 * lets hundreds of megabytes pile up. For work that moves many bytes for a long time, such as a bulk job.
 */

/** How many bytes pass between two checks of the memory. */
const BYTES_BETWEEN = 24 * 2 ** 20;
/** Memory of the whole process: below this, the runtime decides on its own. */
const RESIDENT_BYTES = 230 * 2 ** 20;

/** @returns a function to call with the number of bytes that are no longer in use */
export function createCollecting(): (bytes: number) => void {
  let bytesSince = 0;
  return (bytes) => {
    bytesSince += bytes;
    if (bytesSince < BYTES_BETWEEN) return;
    bytesSince = 0;
    if (process.memoryUsage.rss() > RESIDENT_BYTES) Bun.gc(true);
  };
}
