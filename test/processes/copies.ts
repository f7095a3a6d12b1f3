/**
 * A gateway of two processes, as tests start it, and the copies that it has.
 * What the tests of one process need too is in test/serving.ts.
 */
import { readFileSync } from "node:fs";
import { type Upstream, wireTo } from "../serving";

/** A routing file with the model `m` at an upstream, served by two processes. */
export const byTwo = (upstream: Upstream, more = "") => `${wireTo(upstream, "processes: 2")}${more}`;

/** The processes that a process has started, as the system knows them. */
export function copiesOf(pid: number): number[] {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8");
  return children.trim().split(" ").filter(Boolean).map(Number);
}
