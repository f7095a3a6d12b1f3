/**
 * What a figure is to reach, printed beside what it came to. A row's goals stand with the row (bench/rows.ts, bench/others.ts).
 */
import { say } from "./said";
import { written } from "./table";

export interface Goal {
  /** What is measured, in words. */
  readonly of: string;
  readonly bound: "at most" | "at least";
  readonly value: number;
  /** Where to go on to. */
  readonly further?: number;
  /** × for a ratio. */
  readonly unit: string;
}

const missed: string[] = [];

export function printGoal(row: string, goal: Goal, value: number): void {
  const isReached = goal.bound === "at most" ? value <= goal.value : value >= goal.value;
  const further = goal.further === undefined ? "" : `, then ${goal.further}`;
  const words = `${goal.of}: ${written(value)} ${goal.unit}, goal ${goal.bound} ${goal.value}${further}`;
  say(`  ${isReached ? "reached" : "missed "}  ${words}`);
  if (!isReached) missed.push(`${row}: ${words}`);
}

/** At the end, so that nobody has to search for them. */
export function printMissed(): void {
  if (missed.length > 0) say(`\nMissed:\n${missed.map((line) => `  ${line}`).join("\n")}`);
}
