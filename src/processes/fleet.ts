/**
 * The copies: started together, each replaced when it dies, all with the same configuration. The rows that a dead copy left in flight are settled by
 * a living one. What a copy does is in copy.ts.
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
  /** @returns what the first copy said, once all are ready. @throws Error in words, where one could not be opened */
  start(order: Order): Promise<Static<typeof Opened>>;
  /** All copies serve by it, or none. @throws Error in words */
  reload(read: ReadFile): Promise<Static<typeof Reloaded>>;
  /**
   * Other copies, of the program's present file, take the place of those that serve; these finish what they have.
   * @returns what the first of them said. @throws Error in words, where they could not; then nothing has changed
   */
  swap(read: ReadFile): Promise<Static<typeof Opened> & { readonly processes: number }>;
  /** Each finishes what is under way. A process that has not ended within the time is killed. */
  end(withinMs: number, drains: boolean): Promise<void>;
  /** At once. */
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
  /** leaving: another has taken its place, and it listens still. */
  state: "starting" | "serving" | "leaving" | "ending";
}

/** A copy that dies sooner has a fault: its successor is started after a backoff. */
const SOUND_AFTER_MS = 10_000;
const PAUSE_MS_MIN = 250;
const PAUSE_MS_MAX = 30_000;

export function createFleet(
  options: { readonly config?: string; readonly host?: string; readonly port?: number },
  cacheBytes: number,
  outside: Pick<Outside, "monotonic" | "sleep" | "randomBytes" | "log">,
): Fleet {
  /** A name of an earlier run must not be reused: its rows may still exist. */
  const run = outside.randomBytes(4).toHex();
  const descriptors = [createRegionFile(run, outside).descriptor];
  if (cacheBytes > 0) descriptors.push(createRingFile(`${run}-cache`, cacheBytes).descriptor);
  const measurements = createMeasurements(outside);
  const copies = new Set<Copy>();
  /** Dead ones whose rows are not settled yet. */
  const unsettled = new Set<string>();
  const ending = new AbortController();
  let started = 0;
  /** Of the routing file's readings. */
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

  /** @returns how many processes the file says */
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

  /** The answer of each serving copy; one that died meanwhile is left out, since its successor is informed at its start. */
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

  /** Since any of them did: another must not be open in its place. */
  async function isAsking(): Promise<boolean> {
    const answers = await ofAll(({ process }) =>
      // One of an older version does not know.
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

  /** New connections go to the fresh ones from now on, which came after all others to the port. @returns the first one's place there */
  async function turnTo(old: readonly Copy[], fresh: readonly Copy[]): Promise<number> {
    const from = those("serving", "leaving").length - fresh.length;
    for (const copy of old) copy.state = "leaving";
    const [one] = fresh;
    // Awaited: a client that is told to reconnect must reach one of the new ones.
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
    // When a listener closes, the last one takes its index: the new ones must stay reachable until only they are left.
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
        // It settles what the last run left: no other copy may start before.
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
      // All copies must accept it before the first one serves it.
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
