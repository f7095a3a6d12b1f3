/** Reads a file up to a maximum size. */
import { open } from "node:fs/promises";

/**
 * Reads at most one byte more than allowed, so that neither a huge file nor an endless device fills the memory.
 * @returns more than `bytesMax` bytes if the file is too large. @throws like node:fs
 */
export async function readAtMost(path: string, bytesMax: number): Promise<Uint8Array> {
  const handle = await open(path, "r");
  try {
    const bytes = new Uint8Array(bytesMax + 1);
    let length = 0;
    while (length < bytes.byteLength) {
      const { bytesRead } = await handle.read(bytes, length, bytes.byteLength - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return bytes.subarray(0, length);
  } finally {
    await handle.close();
  }
}
