/**
 * How `embedgate reload` finds a running gateway: a small file beside the database that exists while it runs. It also has the result of
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
  /** In the system's unit. */
  started: Type.String(),
  /** The process that receives the reload signal. */
  signal: Type.Union([Type.Literal("SIGHUP"), Type.Literal("SIGUSR2")]),
  /** The number of reloads so far, and the last one's result. */
  reloads: Type.Integer(),
  ok: Type.Boolean(),
  outcome: Type.String(),
});

export type Presence = Static<typeof Presence>;

export interface Announced {
  /** A reload is done, or has failed. */
  reloaded(ok: boolean, outcome: string): void;
  /** The gateway shuts down. */
  withdraw(): void;
}

/** A gateway with a database in memory has no folder, so it cannot be found. */
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

/** On other systems a gateway writes no file, because a stale one could not be recognised: `presentAt` finds none there. */
export const canFindGateways = (): boolean => startOf(process.pid) !== undefined;

/** The gateways that use a database. */
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

/** Clock ticks from the machine's start to the process's; undefined if there is no such process, or the system does not say. */
function startOf(pid: number): string | undefined {
  try {
    // The name in brackets before it may contain anything, including brackets and spaces.
    return readFileSync(`/proc/${pid}/stat`, "utf8").split(")").at(-1)?.trim().split(" ")[19];
  } catch {
    return undefined;
  }
}
