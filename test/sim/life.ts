/**
 * The gateway's life on one database: opened, used, killed, opened again, reloaded, closed.
 * Whatever else can happen to a process is a method here; the scenario decides when (run.ts).
 */
import type { Database } from "bun:sqlite";
import type { GatewayConfig } from "../../src/config/gateway-config";
import { createGateway, type Gateway } from "../../src/gateway";
import { ALONE } from "../../src/sharing/place";
import { createTokens } from "../../src/tokens/tokens";
import { abandon, begin, catchingConnections, type DiskFault } from "./disk";
import { simulatedTokenizer } from "./tokenizer";
import type { Process, World } from "./world";

type Fetch = (url: string, init: RequestInit, process: Process) => Promise<Response>;

/** One process with its open gateway. */
export interface Living {
  readonly gateway: Gateway;
  /** The gateway's main database: committed rows can be read here. */
  readonly database: Database;
  /** Resolves when the process dies. */
  readonly death: Promise<"cut">;
  readonly process: Process;
}

export interface Life {
  /** The gateway, as soon as one is up. */
  up(): Promise<Living>;
  kill(): void;
  /** The living one, or the last one. */
  process(): Process;
  reload(config: GatewayConfig): Promise<void>;
  /** @returns a function that ends the fault */
  spoilDisk(fault: DiskFault): Promise<() => void>;
  /** When each life began. */
  upSinceMs(): readonly number[];
  close(): Promise<void>;
  /** Ends everything at once, after a failed simulation. */
  drop(): void;
}

/** A supervisor starts a dead process again. */
const RESTART_AFTER_MS = 150;

export function createLife(first: GatewayConfig, world: World, fetch: Fetch): Life {
  let config = first;
  let newest = world.startProcess(fetch);
  let current:
    | { readonly process: Process; readonly connections: readonly Database[]; end(): void }
    | undefined;

  const upSinceMs: number[] = [];
  let living = start();

  async function start(): Promise<Living> {
    for (;;) {
      const process = world.startProcess(fetch);
      newest = process;
      try {
        const { value: gateway, connections } = await catchingConnections(() =>
          createGateway(
            config,
            process.outside,
            ALONE,
            undefined,
            createTokens(simulatedTokenizer(process.outside)),
          ),
        );
        const [database] = connections;
        if (!database) throw new Error("the gateway opened no database");
        const { promise: death, resolve } = Promise.withResolvers<"cut">();
        current = { process, connections, end: () => resolve("cut") };
        world.note("the gateway is up");
        upSinceMs.push(world.elapsedMs());
        return { gateway, database, death, process };
      } catch (cause) {
        process.kill();
        world.note(`the gateway did not start: ${cause instanceof Error ? cause.message : cause}`);
        await world.sleep(RESTART_AFTER_MS);
      }
    }
  }

  function end(): void {
    current?.process.kill();
    for (const connection of current?.connections ?? []) abandon(connection);
    current?.end();
    current = undefined;
  }

  return {
    up: () => living,
    process: () => newest,
    upSinceMs: () => upSinceMs,
    kill() {
      if (!current) return;
      world.note("the process dies");
      end();
      living = world.sleep(RESTART_AFTER_MS).then(start);
    },
    async reload(next) {
      config = next;
      const { gateway } = await living;
      world.note(`reloaded; after a restart: ${gateway.reload(next).join(", ")}`);
    },
    async spoilDisk(fault) {
      const { database, process } = await living;
      world.note(`the database is ${fault}`);
      const end = begin(fault, database, config.database.path);
      return () => {
        world.note(`the database is no longer ${fault}`);
        if (!process.isDead() || fault === "locked") end();
      };
    },
    async close() {
      const { gateway } = await living;
      await gateway.close();
      current = undefined;
    },
    drop: end,
  };
}
