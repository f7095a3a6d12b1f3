/**
 * A gateway of two processes for tests, and its processes.
 * test/serving.ts has what tests of one process need too.
 */
import { readFileSync } from "node:fs";
import { type Upstream, wireTo } from "../serving";

/** A routing file with the model `m` at an upstream, served by two processes. */
export const byTwo = (upstream: Upstream, more = "") => `${wireTo(upstream, "processes: 2")}${more}`;

/** The child processes of a process, according to the system. */
export function copiesOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").filter(Boolean).map(Number);
}
