/**
 * How many cores this process may use: what `auto` counts by.
 * Another way in which a system allows less than the machine has is a further number in `coresAllowed`.
 */
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";

/** As many places as there are in what the copies share. */
export const PROCESSES_MAX = 64;

/** The share of the machine that a container's limit leaves: "200000 100000" is two cores, "max 100000" all there are. */
const CGROUP_LIMIT = "/sys/fs/cgroup/cpu.max";

/** What a supervisor tells a copy of its part of the cores. */
export const CORES_VARIABLE = "EMBEDGATE_CORES";

/** Those that this process may count on: its part, where several share them. */
export function coresHere(): number {
  return Number(process.env[CORES_VARIABLE]) || coresAllowed();
}

export function coresAllowed(): number {
  return Math.max(1, Math.min(availableParallelism(), quotaOf(limitOfTheContainer())));
}

/** A part of a core is a core: a process there is of use. */
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
