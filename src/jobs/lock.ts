/** Only one run at a time works on OUT: a lock file beside it holds the process id. A lock that a killed process left behind is taken over. */
import { readFileSync, rmSync, writeFileSync } from "node:fs";

/** @returns a function that releases the lock, or a message if another run holds it */
export function lock(path: string): (() => void) | string {
  for (const isLast of [false, true]) {
    try {
      writeFileSync(path, String(process.pid), { flag: "wx", mode: 0o600 });
      return () => rmSync(path, { force: true });
    } catch (cause) {
      const holder = holderOf(path);
      if (isLast || holder !== undefined)
        return `another run works on this output: process ${holder ?? "unknown"} (${path})`;
      if (!(cause instanceof Error && "code" in cause && cause.code === "EEXIST")) throw cause;
      rmSync(path, { force: true });
    }
  }
  return "";
}

/** The process that holds the lock, if it is alive. */
function holderOf(path: string): number | undefined {
  try {
    const pid = Number(readFileSync(path, "utf8"));
    // In a restarted container the killed process may have had the same id as this one.
    if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return undefined;
    process.kill(pid, 0);
    return pid;
  } catch {
    return undefined;
  }
}
