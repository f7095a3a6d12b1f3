/**
 * One of several processes that serve together: it does what its supervisor says, and ends with it.
 * A new message from the supervisor is a handler here, and a message in messages.ts.
 */
import { Value } from "@sinclair/typebox/value";
import type { Memory } from "../cache/memory";
import { openRing } from "../cache/ring";
import type { GatewayConfig } from "../config/gateway-config";
import type { Outside } from "../domain/outside";
import { commonClock } from "../machine/clock";
import { keepExecutableSmall } from "../machine/executable-pages";
import { ignoreNewConnections, steerNoMore, steerTo } from "../machine/steering";
import { realOutside } from "../network/real-outside";
import { configured } from "../serving/configured";
import { endGracefully } from "../serving/ending";
import { greeting, LEAVING_MS, type ListeningGateway, listen } from "../serving/listening";
import { EXIT_CODES, surviveOtherSignals } from "../serving/signals";
import { mapRegion, RING_DESCRIPTOR } from "../sharing/region";
import { shareOf } from "../sharing/share";
import { type Channel, openChannel } from "./channel";
import { End, Load, Open, Settle, Steer } from "./messages";
import { createMeasuring } from "./together";

/** Time for accepting connections that have just arrived. */
const SHUTTING_MS = 5;

/** @returns the exit code if there is no supervisor; with one, the process ends by itself */
export async function serveAsCopy(): Promise<number> {
  const send = process.send?.bind(process);
  if (send === undefined) {
    console.error("This command is internal: 'embedgate serve' starts the processes.");
    return 1;
  }
  surviveOtherSignals();
  const copy = createCopy(() => channel);
  const channel: Channel = openChannel(
    (message) => {
      // The supervisor may have ended already; then this process ends too.
      if (process.connected) send(message);
    },
    copy.handlers,
    realOutside,
  );
  process.on("message", (message) => channel.hear(message));
  process.on("disconnect", () => {
    channel.end("the supervisor is gone");
    void copy.end(false);
  });
  let signals = 0;
  process.on("SIGTERM", () => {
    signals += 1;
    if (signals > 1) process.exit(EXIT_CODES.SIGTERM);
    void copy.end(true);
  });
  // A terminal sends it to all its processes: the supervisor decides when this one ends.
  process.on("SIGINT", () => undefined);
  return new Promise(() => undefined);
}

function createCopy(channel: () => Channel) {
  const measuring = createMeasuring(channel);
  let loaded: GatewayConfig | undefined;
  const mayListen = Promise.withResolvers<void>();
  let generation = 0;
  let memory: Memory | undefined;
  let listening: ListeningGateway | undefined;
  let processes = 1;
  let outside: Outside = realOutside;

  const opened = () => {
    if (listening === undefined) throw new Error("it is not open yet");
    return listening;
  };
  const toServeBy = () => {
    if (loaded === undefined) throw new Error("it has no routing file");
    return shareOf(loaded, processes, memory !== undefined);
  };

  let ended: Promise<void> | undefined;

  /** A signal to all processes reaches this one too, in addition to its supervisor. */
  function end(drains: boolean): Promise<void> {
    ended ??= endOnce(drains);
    return ended;
  }

  async function endOnce(drains: boolean): Promise<void> {
    if (listening) await endGracefully(listening.gateway, listening, outside, drains);
    process.exit(0);
  }

  const handlers = {
    async load(body: unknown) {
      const { options, read, tells, ...order } = Value.Parse(Load, body);
      const next = await configured(options.config, {
        read,
        notes: tells,
        problems: tells,
        address: options,
      });
      if (next === undefined) return { ok: false, processes: 1 };
      const { processes } = next.server;
      const refusal = listening?.gateway.refusalOf(next);
      if (refusal) return { ok: false, processes, reason: refusal.message };
      generation = order.generation;
      loaded = next;
      return { ok: true, processes };
    },
    async open(body: unknown) {
      const order = Value.Parse(Open, body);
      processes = order.processes;
      outside = { ...realOutside, log: logOf(order.process) };
      const region = mapRegion();
      if (region === undefined)
        outside.log(
          "warn",
          "the gateway was started by another version: rate limits are per process until a restart",
        );
      const { cacheBytes } = order;
      if (cacheBytes > 0) memory = openRing({ descriptor: RING_DESCRIPTOR, bytes: cacheBytes }, outside);
      const together = () => measuring.under(generation);
      const { asks = false } = order;
      const place = { ...order, asks, region, clock: commonClock(outside), memory, together };
      const when = order.begins ? Promise.resolve() : mayListen.promise;
      listening = await listen(toServeBy(), outside, place, { ...order, when });
      void listening.gateway.fenced.then(() => end(false));
      keepExecutableSmall(outside);
      return {
        port: Number(listening.url.port),
        greeting: greeting(listening, processes),
        models: listening.gateway.routes().list().length,
      };
    },
    listen: () => mayListen.resolve(),
    asks: () => ({ asks: opened().gateway.asks() }),
    /** The result of the last load. */
    reload() {
      const { gateway } = opened();
      const afterRestart = gateway.reload(toServeBy());
      return { afterRestart, models: gateway.routes().list().length };
    },
    async settle(body: unknown) {
      const { ledger, metrics, batches } = opened().gateway;
      for (const ended of Value.Parse(Settle, body).processes) {
        metrics.ended(ended);
        const count = await ledger.settleInterrupted(ended);
        if (count > 0) outside.log("warn", "requests were in flight when a process died", { ended, count });
        await batches?.runner.ended(ended);
      }
    },
    steer(body: unknown) {
      const { from, count } = Value.Parse(Steer, body);
      steerTo(from, count);
    },
    steerNoMore,
    measured: measuring.heard,
    /** Answers once no open connection can bring another request. */
    async leave() {
      const { gateway } = opened();
      gateway.underWay.leave();
      await outside.sleep(LEAVING_MS);
    },
    /** Answers once the listener can close without breaking a connection. */
    async shut() {
      opened().leaveListener();
      ignoreNewConnections();
      await outside.sleep(SHUTTING_MS);
    },
    // A supervisor of an older version does not mention draining.
    end: (body: unknown) => end(body !== undefined && Value.Parse(End, body).drains),
  };
  return { handlers, end };
}

/** Each log line names its process. */
const logOf =
  (name: string): Outside["log"] =>
  (level, message, about) =>
    realOutside.log(level, message, { process: name, pid: process.pid, ...about });
