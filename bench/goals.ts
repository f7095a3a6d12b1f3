/**
 * Goals, which are printed next to the measured figures. Each row defines its own (bench/rows.ts, bench/others.ts).
 */
import { say } from "./said";
import { written } from "./table";

export interface Goal {
  /** The name of the figure. */
  readonly of: string;
  readonly bound: "at most" | "at least";
  readonly value: number;
  /** The next goal, once this one is reached. */
  readonly further?: number;
  /** For a ratio: ×. */
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

/** Prints the missed goals at the end of a run. */
export function printMissed(): void {
  if (missed.length > 0) say(`\nMissed:\n${missed.map((line) => `  ${line}`).join("\n")}`);
}
