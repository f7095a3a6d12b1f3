/**
 * How many CPU cores this process may use: the basis of `auto`.
 * Another way in which a system limits them is a further number in `coresAllowed`.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** The number of slots in the memory that the processes share. */
export const PROCESSES_MAX = 64;

/** A container's CPU limit: "200000 100000" is two cores, "max 100000" is no limit. */
const CGROUP_LIMIT = "/sys/fs/cgroup/cpu.max";

/** By this variable the supervisor tells a process how many cores it may use. */
export const CORES_VARIABLE = "EMBEDGATE_CORES";

/** The cores that this process may use: its share, if several processes run. */
export function coresHere(): number {
  return Number(process.env[CORES_VARIABLE]) || coresAllowed();
}

export function coresAllowed(): number {
  return Math.max(1, Math.min(availableParallelism(), quotaOf(limitOfTheContainer())));
}

/** A fraction of a core counts as one: a process there is still useful. */
export function quotaOf(limit: string): number {
  const [quota, period] = limit.trim().split(/\s+/).map(Number);
  const cores = Math.ceil((quota ?? Number.NaN) / (period ?? Number.NaN));
  return cores >= 1 ? cores : Number.POSITIVE_INFINITY;
}

function limitOfTheContainer(): string {
  try {
    return readFileSync(CGROUP_LIMIT, "utf8");
  } catch {
    return "";
  }
}
