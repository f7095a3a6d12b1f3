/**
 * Starts the measured programs, and reads the processor time and memory of a process and its children from /proc.
 * Linux only.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { resolve } from "node:path";

export interface Started extends AsyncDisposable {
  readonly pid: number;
  readonly port: number;
}

/** Raises Bun's limit of 256 concurrent fetches, so that the baseline does not wait where the gateway does not. */
export const ENVIRONMENT = { PATH: process.env.PATH ?? "", BUN_CONFIG_MAX_HTTP_REQUESTS: "65535" };

/** Real-time priority, which needs root or CAP_SYS_NICE. */
const AHEAD = ["chrt", "--fifo", "50"];

let mayBeAhead: boolean | undefined;

/** The command for a program that gets a processor at once, as if it had a machine of its own; unchanged if the system does not allow that. */
export function ahead(command: readonly string[]): readonly string[] {
  mayBeAhead ??= Bun.which(AHEAD[0] ?? "") !== null && Bun.spawnSync([...AHEAD, "true"]).success;
  return mayBeAhead ? [...AHEAD, ...command] : command;
}

/** @param greeting matches the output line with the port, which is its first group */
export async function start(
  command: readonly string[],
  greeting = /^(\d+)$/m,
  options: { cwd?: string; environment?: Record<string, string> } = {},
): Promise<Started> {
  const child = Bun.spawn([...command], {
    cwd: options.cwd,
    env: options.environment ?? ENVIRONMENT,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  let said = "";
  for await (const chunk of child.stdout) {
    said += new TextDecoder().decode(chunk);
    if (greeting.test(said)) break;
  }
  const port = Number(greeting.exec(said)?.[1]);
  if (!port) throw new Error(`${command.join(" ")} did not start: ${said}`);
  return {
    pid: child.pid,
    port,
    async [Symbol.asyncDispose]() {
      child.kill("SIGINT");
      await child.exited;
    },
  };
}

/** The absolute path of a program from an option, as it is started in other folders. @throws Error if it does not exist */
export function programAt(path: string): string {
  const program = resolve(path);
  if (!existsSync(program)) throw new Error(`there is no ${program}`);
  return program;
}

/** The ids of a process and all its descendants. */
export function processesOf(root: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = read(`/proc/${name}/stat`);
    if (stat !== undefined) parents.set(Number(name), Number(afterName(stat)[1]));
  }
  const isWithin = (pid: number): boolean => {
    if (pid === root) return true;
    const parent = parents.get(pid);
    return parent !== undefined && parent > 0 && isWithin(parent);
  };
  return [...parents.keys()].filter(isWithin);
}

/** User and system seconds so far, including children that have ended. */
export function cpuSeconds(root: number): number {
  let ticks = 0;
  for (const pid of processesOf(root)) {
    const stat = read(`/proc/${pid}/stat`);
    if (stat === undefined) continue;
    // The fields of the process itself and of its ended children.
    for (const field of afterName(stat).slice(11, 15)) ticks += Number(field);
  }
  return ticks / 100;
}

/** The peak of resident memory since `resetPeak`, summed over the processes. */
export function peakMemory_mb(root: number): number {
  return sum(processesOf(root), (pid) => kilobytes(read(`/proc/${pid}/status`), "VmHWM")) / 1024;
}

export function resetPeak(root: number): void {
  for (const pid of processesOf(root)) writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

/** Private memory, and each process's share of shared memory. */
export function proportionalMemory_mb(root: number): number {
  return sum(processesOf(root), (pid) => kilobytes(read(`/proc/${pid}/smaps_rollup`), "Pss")) / 1024;
}

const sum = (pids: readonly number[], of: (pid: number) => number) =>
  pids.reduce((all, pid) => all + of(pid), 0);

const kilobytes = (text: string | undefined, name: string) =>
  Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(text ?? "")?.[1] ?? 0);

/** The fields after a process's name, which may contain spaces and brackets. */
const afterName = (stat: string) => stat.slice(stat.lastIndexOf(")") + 2).split(" ");

/** A file's text; undefined if the process has just ended. */
function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
