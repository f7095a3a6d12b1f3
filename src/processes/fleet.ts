/**
 * The serving processes: started together, each replaced when it dies, all with the same configuration. A living process settles the rows that a dead
 * one left in flight. copy.ts has what each process does.
 */
import type { Static } from "@sinclair/typebox";
import { createRingFile } from "../cache/ring";
import type { ReadFile } from "../config/read";
import type { Outside } from "../domain/outside";
import { createRegionFile } from "../sharing/region";
import { createMeasurements } from "./measurements";
import { Asking, Loaded, Nothing, Opened, Reloaded } from "./messages";
import { type CopyProcess, type Exit, spawnCopy } from "./spawn";

export interface Fleet {
  /** @returns the first process's message, once all are ready. @throws Error with a message if one could not start */
  start(order: Order): Promise<Static<typeof Opened>>;
  /** All processes switch to it, or none. @throws Error with a message */
  reload(read: ReadFile): Promise<Static<typeof Reloaded>>;
  /**
   * New processes with the program's current file replace the serving ones, which finish what they have.
   * @returns the first new process's message. @throws Error with a message if they could not start; then nothing has changed
   */
  swap(read: ReadFile): Promise<Static<typeof Opened> & { readonly processes: number }>;
  /** Each process finishes its requests in flight. One that has not ended within the time is killed. */
  end(withinMs: number, drains: boolean): Promise<void>;
  /** Immediately. */
  kill(): void;
}

export interface Order {
  readonly host: string;
  readonly port: number;
  readonly processes: number;
  readonly read: ReadFile;
}

interface Copy {
  /** Its name in the ledger's rows. */
  readonly name: string;
  readonly process: CopyProcess;
  readonly startedAt: number;
  /** The routing file that it serves. */
  read: ReadFile;
  /** leaving: another process has replaced it, but it still listens. */
  state: "starting" | "serving" | "leaving" | "ending";
}

/** A process that dies sooner than this is faulty: its successor is started after a backoff. */
const SOUND_AFTER_MS = 10_000;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 30_000;

export function createFleet(
  options: { readonly config?: string; readonly host?: string; readonly port?: number },
  cacheBytes: number,
  outside: Pick<Outside, "monotonic" | "sleep" | "randomBytes" | "log">,
): Fleet {
  /** A name of an earlier run must not be reused, because its rows may still exist. */
  const run = outside.randomBytes(4).toHex();
  const descriptors = [createRegionFile(run, outside).descriptor];
  if (cacheBytes > 0) descriptors.push(createRingFile(`${run}-cache`, cacheBytes).descriptor);
  const measurements = createMeasurements(outside);
  const copies = new Set<Copy>();
  /** Dead processes whose rows are not settled yet. */
  const unsettled = new Set<string>();
  const ending = new AbortController();
  let started = 0;
  /** Counts the reads of the routing file. */
  let generation = 0;
  let failuresInARow = 0;
  let hasAsked = false;
  let current: Order | undefined;

  function spawn(read: ReadFile, processes: number): Copy {
    started += 1;
    const name = `${run}-${started}`;
    const handlers = {
      measure: (body: unknown) => measurements.ask(name, body),
      measured(body: unknown) {
        if (!measurements.measured(name, body)) return;
        for (const other of copies) if (other !== copy) other.process.channel.tell("measured", body);
      },
    };
    const copy: Copy = {
      name,
      process: spawnCopy(handlers, descriptors, processes, outside),
      startedAt: outside.monotonic(),
      read,
      state: "starting",
    };
    copies.add(copy);
    void copy.process.exited.then((exit) => ended(copy, exit));
    return copy;
  }

  /** @returns the number of processes in the file */
  async function load(copy: Copy, read: ReadFile, tells = false): Promise<number> {
    const { ok, processes, reason } = await copy.process.channel.ask(
      "load",
      { options, read, generation, tells },
      Loaded,
    );
    if (!ok) throw new Error(reason ?? "config reload failed: keeping the previous configuration");
    copy.read = read;
    return processes;
  }

  async function open(copy: Copy, { host, port, processes }: Order, begins = false, mayListen = true) {
    const order = { host, port, process: copy.name, processes, begins, cacheBytes, asks: await isAsking() };
    const asked = copy.process.channel.ask("open", order, Opened);
    if (mayListen) copy.process.channel.tell("listen");
    const opened = await asked;
    copy.state = "serving";
    return opened;
  }

  function ended(copy: Copy, exit: Exit): void {
    copies.delete(copy);
    measurements.gone(copy.name);
    const isExpected = copy.state === "ending" && exit.code === 0;
    if (ending.signal.aborted || isExpected || copy.state === "starting") return;
    unsettled.add(copy.name);
    void settle();
    if (copy.state !== "serving") return;
    outside.log("error", "a process of the gateway died and is replaced", {
      process: copy.name,
      ...exit,
    });
    failuresInARow = outside.monotonic() - copy.startedAt < SOUND_AFTER_MS ? failuresInARow + 1 : 0;
    void replace();
  }

  /** The first time at once, then with exponential backoff. */
  async function replace(): Promise<void> {
    while (!ending.signal.aborted && current) {
      if (failuresInARow > 1) {
        const pause = Math.min(PAUSE_MS_MAX, PAUSE_MS_MIN * 2 ** (failuresInARow - 2));
        await outside.sleep(pause, ending.signal).catch(() => undefined);
        if (ending.signal.aborted) return;
      }
      const copy = spawn(current.read, current.processes);
      try {
        await load(copy, copy.read);
        await open(copy, current);
        // The routing file may have changed meanwhile.
        if (copy.read !== current.read) {
          await load(copy, current.read);
          await copy.process.channel.ask("reload", undefined, Reloaded);
        }
        await settle();
        outside.log("info", "a process that died has been replaced", { process: copy.name });
        return;
      } catch (cause) {
        copy.process.kill();
        if (ending.signal.aborted) return;
        failuresInARow += 1;
        outside.log("error", "a process could not be started: retrying with exponential backoff", {
          cause: String(cause),
        });
      }
    }
  }

  const those = (...states: readonly Copy["state"][]) =>
    [...copies].filter(({ state }) => states.includes(state));
  const serving = () => those("serving");

  /** The answer of each serving process; one that died meanwhile is left out, since its successor gets the message at its start. */
  async function ofAll<Answer>(ask: (copy: Copy) => Promise<Answer>): Promise<Answer[]> {
    const answers = await Promise.all(
      serving().map(async (copy) => {
        try {
          return [await ask(copy)];
        } catch (cause) {
          if (copies.has(copy)) throw cause;
          return [];
        }
      }),
    );
    return answers.flat();
  }

  /** Whether any process has required credentials: then its successor must not be open. */
  async function isAsking(): Promise<boolean> {
    const answers = await ofAll(({ process }) =>
      // A process of an older version does not report it.
      process.channel.ask("asks", undefined, Asking).catch(() => undefined),
    );
    hasAsked ||= answers.some((answer) => answer?.asks);
    return hasAsked;
  }

  async function settle(): Promise<void> {
    const [one] = those("serving", "leaving");
    const processes = [...unsettled];
    if (one === undefined || processes.length === 0) return;
    try {
      await one.process.channel.ask("settle", { processes }, Nothing);
      for (const name of processes) unsettled.delete(name);
    } catch (cause) {
      outside.log("error", "ledger rows of a process that died could not be settled yet", {
        cause: String(cause),
      });
    }
  }

  /** New connections now go to the new processes, which opened the port after all others. @returns the index of the first one there */
  async function turnTo(old: readonly Copy[], fresh: readonly Copy[]): Promise<number> {
    const from = those("serving", "leaving").length - fresh.length;
    for (const copy of old) copy.state = "leaving";
    const [one] = fresh;
    // Awaited: a client that is told to reconnect must reach a new process.
    await one?.process.channel.ask("steer", { from, count: fresh.length }, Nothing).catch(() => undefined);
    return from;
  }

  /** They listen until nobody uses them any more. */
  async function takeLeave(old: readonly Copy[], fresh: readonly Copy[], from: number): Promise<void> {
    const tellOne = (kind: string, body?: unknown) =>
      fresh.find((copy) => copies.has(copy))?.process.channel.tell(kind, body);
    const askOld = (kind: string) =>
      Promise.all(
        old.map(({ process }) => process.channel.ask(kind, undefined, Nothing).catch(() => undefined)),
      );
    await askOld("leave");
    // When a listener closes, the last one gets its index: the new ones must stay reachable until only they are left.
    tellOne("steer", { from, count: Math.max(1, fresh.length - old.length + 1) });
    await askOld("shut");
    for (const copy of old) {
      copy.state = "ending";
      copy.process.channel.tell("end", { drains: false });
    }
    await Promise.all(old.map(({ process }) => process.exited));
    tellOne("steerNoMore");
  }

  return {
    async start(order) {
      const all = Array.from({ length: order.processes }, () => spawn(order.read, order.processes));
      const [first, ...others] = all;
      if (first === undefined) throw new Error("there are no processes to start");
      const failed = Promise.race(
        all.map(async ({ process: { exited } }) => {
          const { code, signal } = await exited;
          throw new Error(`A process ended before it was ready (${signal ?? code}).`);
        }),
      );
      const opened = async () => {
        const ready = others.map(async (copy) => {
          await load(copy, order.read);
          return open(copy, order, false, false);
        });
        // It settles what the last run left: no other process may start before.
        const greeted = load(first, order.read).then(() => open(first, order, true));
        await Promise.race([greeted, Promise.all(ready)]);
        await greeted;
        for (const { process } of others) process.channel.tell("listen");
        await Promise.all(ready);
        return greeted;
      };
      const greeted = await Promise.race([opened(), failed]);
      current = order;
      return greeted;
    },
    async reload(read) {
      generation += 1;
      // All processes must accept the file before the first one serves it.
      await ofAll((copy) => load(copy, read));
      if (current) current = { ...current, read };
      const [outcome] = await ofAll(({ process }) => process.channel.ask("reload", undefined, Reloaded));
      return outcome ?? { afterRestart: [], models: 0 };
    },
    async swap(read) {
      if (current === undefined) throw new Error("the gateway has not started yet");
      generation += 1;
      const fresh = [spawn(read, current.processes)];
      try {
        const [first] = fresh;
        const processes = first ? await load(first, read, true) : 1;
        while (fresh.length < processes) fresh.push(spawn(read, processes));
        const order = { ...current, processes, read };
        const opened = await Promise.all(
          fresh.map(async (copy) => {
            if (copy !== first) await load(copy, read);
            return open(copy, order);
          }),
        );
        const old = serving().filter((copy) => !fresh.includes(copy));
        current = order;
        void takeLeave(old, fresh, await turnTo(old, fresh));
        const [greeted] = opened;
        if (greeted === undefined) throw new Error("there are no processes to start");
        return { ...greeted, processes };
      } catch (cause) {
        for (const { process } of fresh) process.kill();
        await Promise.all(fresh.map(({ process }) => process.exited));
        throw cause;
      }
    },
    async end(withinMs, drains) {
      ending.abort();
      const all = [...copies];
      for (const { process } of all) process.channel.tell("end", { drains });
      const late = new AbortController();
      const inTime = Promise.all(all.map(({ process }) => process.exited)).then(() => late.abort());
      await Promise.race([inTime, outside.sleep(withinMs, late.signal).catch(() => undefined)]);
      for (const { process } of copies) process.kill();
    },
    kill() {
      ending.abort();
      for (const { process } of copies) process.kill();
    },
  };
}
