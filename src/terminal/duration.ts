/** Durations as people write them on a command line: 90s, 15m, 24h, 7d. A new unit is a line of UNITS. */
import { InvalidArgumentError } from "commander";

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** @returns milliseconds */
export function parseDuration(text: string): number {
  const [, digits, unit] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const unitMs = UNITS[unit ?? ""];
  if (digits === undefined || unitMs === undefined) {
    throw new InvalidArgumentError("Expected a duration such as 90s, 15m, 24h or 7d.");
  }
  return Number(digits) * unitMs;
}

const NAMES = { d: "day", h: "hour", m: "minute", s: "second" } as const;

/** In the largest unit that it is a whole number of: 7 days. */
export function inUnits(ms: number): string {
  for (const [unit, name] of Object.entries(NAMES)) {
    const count = ms / (UNITS[unit] ?? 1);
    if (Number.isInteger(count) && count > 0) return `${count} ${name}${count === 1 ? "" : "s"}`;
  }
  return `${ms / 1000} seconds`;
}
