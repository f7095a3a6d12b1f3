/**
 * One machine of several on one database: its gateway is opened, paused, resumed, killed, restarted; and ends when it finds itself fenced.
 * Whatever else can happen to a machine is a method here; the scenario decides when (run.ts).
 */
// Read before the simulated clock runs: a gateway imports it on demand, which takes real time.
import "../../../src/stores/postgres/open";
import { join } from "node:path";
import type { GatewayConfig } from "../../../src/config/gateway-config";
import type { Outside } from "../../../src/domain/outside";
import { createGateway, type Gateway } from "../../../src/gateway";
import { ALONE } from "../../../src/sharing/place";
import { createTokens } from "../../../src/tokens/tokens";
import { simulatedTokenizer } from "../tokenizer";
import type { Process, World } from "../world";
import { type Host, SCHEMA, type SimDatabase } from "./database";

export interface Running {
  readonly gateway: Gateway;
  readonly host: Host;
  /** Resolves when the process ends, for any reason. */
  readonly death: Promise<"cut">;
}

export interface Machine {
  readonly name: string;
  /** As soon as one is up. */
  up(): Promise<Running>;
  pause(): void;
  resume(): void;
  kill(): void;
  close(): Promise<void>;
}

export interface Setting {
  readonly world: World;
  readonly database: SimDatabase;
  readonly config: GatewayConfig;
  readonly folder: string;
  readonly creditLease: number | undefined;
  readonly fetch: (url: string, init: RequestInit, process: Process) => Promise<Response>;
}

const RESTART_AFTER_MS = 150;
/** Requests in flight may end meanwhile. */
const FENCED_ENDS_AFTER_MS = 1_000;
const CONNECTIONS = 3;

/** @param clockMs offset of its clock from the world's */
export function createMachine(name: string, clockMs: number, setting: Setting): Machine {
  const { world, database, folder, fetch } = setting;
  /** undefined while it runs. */
  let stopped: PromiseWithResolvers<void> | undefined;
  let current: { readonly process: Process; readonly host: Host; end(): void } | undefined;
  const hostOf = ({ isDead }: Process): Host => ({
    isDead,
    async awake() {
      while (stopped) await stopped.promise;
      if (isDead()) await new Promise(() => undefined);
    },
  });

  /** A stopped process receives nothing, and everything once it continues; its clocks go on meanwhile. */
  function outsideOf({ outside }: Process, host: Host): Outside {
    return {
      ...outside,
      now: () => outside.now() + clockMs,
      async sleep(ms, signal) {
        await outside.sleep(ms, signal);
        await host.awake();
      },
      alarm(ms, ring) {
        let isOff = false;
        const off = outside.alarm(ms, async () => {
          await host.awake();
          if (!isOff) ring();
        });
        return () => {
          isOff = true;
          off();
        };
      },
      async fetch(url, init) {
        const response = await outside.fetch(url, init);
        await host.awake();
        return response;
      },
      log: (level, message, about) => outside.log(level, `${name}: ${message}`, about),
      postgres: database.openFor(host),
    };
  }

  async function start(): Promise<Running> {
    for (;;) {
      const process = world.startProcess(fetch, name);
      const host = hostOf(process);
      const outside = outsideOf(process, host);
      const { promise: death, resolve } = Promise.withResolvers<"cut">();
      current = { process, host, end: () => resolve("cut") };
      const config = {
        ...setting.config,
        database: {
          ...setting.config.database,
          path: join(folder, name, "gateway"),
          // Through a pooler: LISTEN is impossible, so changes are polled.
          postgres: {
            url: "postgres://simulated/embedgate",
            schema: SCHEMA,
            maxConnections: CONNECTIONS,
            prepare: false,
            onOutage: "refuse" as const,
            creditLease: setting.creditLease,
          },
        },
      };
      try {
        const opened = createGateway(
          config,
          outside,
          ALONE,
          undefined,
          createTokens(simulatedTokenizer(outside)),
        );
        const gateway = await Promise.race([opened, death]);
        if (gateway === "cut") throw new Error("killed");
        world.note(`${name} is up`);
        void gateway.fenced.then(async () => {
          world.note(`${name} is fenced`);
          await world.sleep(FENCED_ENDS_AFTER_MS);
          if (!process.isDead()) kill();
        });
        return { gateway, host, death };
      } catch (cause) {
        process.kill();
        database.ended(host);
        world.note(`${name} did not start: ${cause instanceof Error ? cause.message : cause}`);
        await world.sleep(RESTART_AFTER_MS);
      }
    }
  }

  function kill(): void {
    const dead = current;
    if (!dead || dead.process.isDead()) return;
    world.note(`${name} dies`);
    dead.process.kill();
    database.ended(dead.host);
    const wasUp = running;
    stopped?.resolve();
    stopped = undefined;
    dead.end();
    // A gateway that was still starting continues to start by itself.
    let isUp = false;
    void wasUp.then(() => {
      isUp = true;
    });
    running = Promise.resolve().then(async () => {
      await world.sleep(RESTART_AFTER_MS);
      return isUp ? start() : wasUp;
    });
  }

  let running = start();

  return {
    name,
    up: () => running,
    pause() {
      if (stopped) return;
      world.note(`${name} is paused`);
      stopped = Promise.withResolvers();
    },
    resume() {
      if (!stopped) return;
      world.note(`${name} goes on`);
      stopped.resolve();
      stopped = undefined;
    },
    kill,
    async close() {
      const { gateway } = await running;
      await gateway.close();
    },
  };
}
