/**
 * This process's use of resources, with the figures that Prometheus client libraries report for every process.
 * To add a figure, add a member here and a row to FAMILIES in src/admin/metric-families.ts.
 */
import { readdirSync } from "node:fs";

export interface ProcessFigures {
  /** In user and system mode, in microseconds. */
  readonly cpuMicroseconds: number;
  readonly residentBytes: number;
  /** undefined if the system does not say. */
  readonly openDescriptors: number | undefined;
}

export function processFigures(): ProcessFigures {
  const { user, system } = process.cpuUsage();
  return {
    cpuMicroseconds: user + system,
    residentBytes: process.memoryUsage.rss(),
    openDescriptors: openDescriptors(),
  };
}

/** Linux lists them as files. */
function openDescriptors(): number | undefined {
  try {
    return readdirSync("/proc/self/fd").length;
  } catch {
    return undefined;
  }
}
