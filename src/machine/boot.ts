/**
 * Which run of the machine this is, from power-on to power-off: what a killed process wrote to a file is there for as long as it lasts,
 * also what was not yet flushed to the disk. Linux only; elsewhere nothing is known.
 */
import { readFileSync } from "node:fs";

/** https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html: a new one with each boot. */
const BOOT_ID = "/proc/sys/kernel/random/boot_id";

export function bootId(): string | undefined {
  try {
    return readFileSync(BOOT_ID, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
