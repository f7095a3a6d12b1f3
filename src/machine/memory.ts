/**
 * How much memory this process may use: the machine's memory, or a container's limit.
 * Another kind of limit is a further line of LIMITS.
 */
import { readFileSync } from "node:fs";
import { totalmem } from "node:os";

/** cgroup v2, and v1. */
const LIMITS = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"] as const;

/** In bytes. */
export const memoryAllowed = (): number =>
  Math.min(totalmem(), ...LIMITS.map((path) => limitOf(textOf(path))));

/** "max" means no limit, and so does a number near 2^63. */
export function limitOf(text: string): number {
  const bytes = Number(text.trim() || "max");
  return bytes > 0 ? bytes : Number.POSITIVE_INFINITY;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}
