/**
 * Identifies the machine's boot, from power-on to power-off: as long as it lasts, what a killed process wrote to a file is kept,
 * even if it was not flushed to the disk yet. Linux only; elsewhere nothing is known.
 */
import { readFileSync } from "node:fs";

/** A new id at each boot: https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

export function bootId(): string | undefined {
  try {
    return readFileSync(BOOT_ID, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
