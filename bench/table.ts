/**
 * Prints measured figures as a table: medians of all rounds, and ratios to the baseline.
 * To add a figure, add a member to `Figures` and a column.
 */
import { say } from "./said";

export interface Figures {
  readonly perSecond: number;
  readonly p50_ms: number;
  readonly p99_ms: number;
  readonly cpuPerThousand_s: number;
  readonly peak_mb: number;
}

const COLUMNS: readonly { readonly title: string; readonly of: (figures: Figures) => number }[] = [
  { title: "requests/s", of: ({ perSecond }) => perSecond },
  { title: "p50 ms", of: ({ p50_ms }) => p50_ms },
  { title: "p99 ms", of: ({ p99_ms }) => p99_ms },
  { title: "CPU s/1000", of: ({ cpuPerThousand_s }) => cpuPerThousand_s },
  { title: "peak MB", of: ({ peak_mb }) => peak_mb },
];

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? 0)) / 2;
}

export function medians(rounds: readonly Figures[]): Figures {
  const of = (name: keyof Figures) => median(rounds.map((round) => round[name]));
  return {
    perSecond: of("perSecond"),
    p50_ms: of("p50_ms"),
    p99_ms: of("p99_ms"),
    cpuPerThousand_s: of("cpuPerThousand_s"),
    peak_mb: of("peak_mb"),
  };
}

const WIDTH = 11;
const cell = (text: string) => text.padStart(WIDTH);
export const written = (value: number): string =>
  value >= 100 ? value.toFixed(0) : value >= 1 ? value.toFixed(2) : value.toFixed(4);

export function printHead(): void {
  say(" ".repeat(14) + COLUMNS.map(({ title }) => cell(title)).join(""));
}

export function printFigures(name: string, figures: Figures): void {
  say(`  ${name.padEnd(12)}${COLUMNS.map(({ of }) => cell(written(of(figures)))).join("")}`);
}

/** Prints each figure of `ours` divided by that of `theirs`. */
export function printRatios(ours: Figures, theirs: Figures): void {
  const ratios = COLUMNS.map(({ of }) => cell(`${(of(ours) / of(theirs)).toFixed(2)} ×`));
  say(`  ${"ratio".padEnd(12)}${ratios.join("")}`);
}
