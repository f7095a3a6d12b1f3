/**
 * A clock that all processes of a machine share and that never goes back: Bun's own clock starts at zero in each process.
 */
import { ptr } from "bun:ffi";
import type { Outside } from "../domain/outside";
import { openLibc } from "./libc";

const CLOCK_MONOTONIC = process.platform === "darwin" ? 6 : 1;

/** @returns milliseconds like `monotonic`, but since the machine's start */
export function commonClock({ monotonic, now }: Pick<Outside, "monotonic" | "now">): () => number {
  // Both clocks run at the same speed, so their difference is read only once.
  const ahead = (sinceTheStart() ?? now()) - monotonic();
  return () => monotonic() + ahead;
}

function sinceTheStart(): number | undefined {
  const libc = openLibc({ clock_gettime: { args: ["i32", "ptr"], returns: "i32" } });
  const time = new BigInt64Array(2);
  if (libc?.clock_gettime(CLOCK_MONOTONIC, ptr(time)) !== 0) return undefined;
  const [seconds = 0n, nanoseconds = 0n] = time;
  return Number(seconds) * 1_000 + Number(nanoseconds) / 1e6;
}
