/**
 * How `embedgate reload` finds a running gateway: a small file beside the database, for as long as it runs. It also holds the result of
 * the last reload. A stale file of a killed gateway is recognised by its process's start time.
 */
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Outside } from "../domain/outside";
import { PRIVATE_FILE } from "../machine/private-files";

const Presence = Type.Object({
  pid: Type.Integer(),
  /** As the system counts it. */
  started: Type.String(),
  /** What asks it to reload. */
  signal: Type.Union([Type.Literal("SIGHUP"), Type.Literal("SIGUSR2")]),
  /** How often it was asked to reload, and what came of the last time. */
  reloads: Type.Integer(),
  ok: Type.Boolean(),
  outcome: Type.String(),
});

export type Presence = Static<typeof Presence>;

export interface Announced {
  /** A reload is done, or could not be. */
  reloaded(ok: boolean, outcome: string): void;
  /** The gateway ends. */
  withdraw(): void;
}

/** A database in memory has no folder, and its gateway is not found. */
export function announce(
  database: string,
  signal: Presence["signal"],
  { log }: Pick<Outside, "log">,
): Announced {
  const path = `${database}-gateway-${process.pid}`;
  const started = startOf(process.pid);
  const isPossible = database !== ":memory:" && started !== undefined;
  let reloads = 0;

  function write(presence: Omit<Presence, "pid" | "started" | "signal" | "reloads">): void {
    if (!isPossible) return;
    try {
      // Atomic for readers. A stale file would keep its mode, so it is removed first.
      rmSync(`${path}.next`, { force: true });
      writeFileSync(
        `${path}.next`,
        JSON.stringify({ pid: process.pid, started, signal, reloads, ...presence }),
        { mode: PRIVATE_FILE },
      );
      renameSync(`${path}.next`, path);
    } catch (cause) {
      log(
        "warn",
        "'embedgate reload' cannot find this gateway: its file beside the database could not be written",
        { cause: String(cause) },
      );
    }
  }

  write({ ok: true, outcome: "" });
  return {
    reloaded(ok, outcome) {
      reloads += 1;
      write({ ok, outcome });
    },
    withdraw() {
      if (isPossible) rmSync(path, { force: true });
    },
  };
}

/** Elsewhere a gateway leaves no file, since nothing would tell whether it was left behind: `presentAt` finds none then. */
export const canFindGateways = (): boolean => startOf(process.pid) !== undefined;

/** The gateways that run on a database. */
export function presentAt(database: string): Presence[] {
  const folder = dirname(database);
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => /-gateway-\d+$/.test(name) && name.startsWith(`${basename(database)}-gateway-`))
    .flatMap((name) => {
      const presence = read(join(folder, name));
      return presence && startOf(presence.pid) === presence.started ? [presence] : [];
    });
}

function read(path: string): Presence | undefined {
  try {
    return Value.Parse(Presence, JSON.parse(readFileSync(path, "utf8")));
  } catch {
    return undefined;
  }
}

/** Ticks from the machine's start to the process's; undefined where there is no such process, or the system does not tell. */
function startOf(pid: number): string | undefined {
  try {
    // The name in brackets before it may hold anything, brackets and spaces too.
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(")").at(-1)?.trim().split(" ")[19];
  } catch {
    return undefined;
  }
}
