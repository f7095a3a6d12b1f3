/**
 * One shared server for the rest of the gateway: an answer within 50 ms, or none. Every failure counts for the circuit breaker, including
 * those that no caller notices; nothing is queued, nothing is thrown, and a change of state is one line in the log.
 * A further kind of failure is a member of `FailureReason`, reported where it is noticed.
 */
import type { Outside } from "../domain/outside";
import { type Argument, RefusedByServer, type Reply, type ValkeyClient } from "../domain/valkey";
import { createCircuit } from "./circuit";
import { runScript, type Script } from "./script";

/** The use of a server. Vectors are megabytes: on one connection the rate limits would wait behind them. */
export type Use = "limits" | "cache";

/** timeout: no answer in time. lost: no connection. refused: the server's own error. wrong: an answer that cannot be right. */
export type FailureReason = "timeout" | "lost" | "refused" | "wrong";

/** Parses a reply; undefined if it is invalid. */
export type Read<Value> = (reply: Reply) => Value | undefined;

export interface Link {
  /** @returns undefined if there was no answer, or an invalid one; it never throws */
  call<Value>(command: string, args: readonly Argument[], read: Read<Value>): Promise<Value | undefined>;
  /** The same for a script. @param keys of one hash slot */
  run<Value>(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    read: Read<Value>,
  ): Promise<Value | undefined>;
  /** Whether commands are sent: its circuit breaker is not open. */
  isUp(): boolean;
  /** Resolves once it is known whether the server answers, after at most a second. */
  readonly begun: Promise<void>;
  close(): void;
}

/** A rate limit or a cached vector that takes longer costs more than it saves. */
const COMMAND_MS = 50;
/**
 * Time in which the process itself was busy says nothing about the server: the command may not have been sent, or its answer may lie unread. So the
 * time is measured in steps, and a step that ends late does not count, up to this much in total.
 */
const LOOK_MS = 10;
const BUSY_MS = 5;
const COMMAND_MS_WHILE_BUSY = 250;
const BEGIN_MS = 1_000;
const PROBE_KEPT_MS = 10_000;

export interface LinkParts {
  readonly use: Use;
  readonly client: ValkeyClient;
  /** In a form that may be logged. */
  readonly address: string;
  /** A key that the gateway may write and delete: a full server still answers a PING. */
  readonly probeKey: string;
  readonly outside: Pick<Outside, "alarm" | "monotonic" | "random" | "turn" | "log">;
  readonly failed: (use: Use, reason: FailureReason) => void;
}

interface Failure {
  readonly reason: FailureReason;
  readonly words: string;
}

export function openLink({ use, client, address, probeKey, outside, failed }: LinkParts): Link {
  const circuit = createCircuit({
    outside,
    async probe() {
      const answer = await inTime(() => client.call("SET", [probeKey, 1, "PX", PROBE_KEPT_MS]));
      if (!("reason" in answer)) return undefined;
      failed(use, answer.reason);
      giveUp(answer);
      return answer.words;
    },
    changed(reason) {
      const about = { use, address };
      if (reason === undefined) outside.log("info", "shared server answers again", about);
      else
        outside.log("error", "shared server does not answer: this machine works without it", {
          ...about,
          reason,
        });
    },
  });

  /** On a connection that is silent or out of step, later answers could not be trusted either. */
  function giveUp({ reason }: Failure): void {
    if (reason === "timeout" || reason === "wrong") client.reconnect();
  }

  async function bounded<Value>(work: () => Promise<Reply>, read: Read<Value>): Promise<Value | undefined> {
    if (!circuit.isClosed()) return undefined;
    const answer = await inTime(work);
    const value = "reason" in answer ? undefined : read(answer.reply);
    if (value !== undefined) {
      circuit.good();
      return value;
    }
    const failure = "reason" in answer ? answer : WRONG;
    const wasClosed = circuit.isClosed();
    failed(use, failure.reason);
    circuit.failed(failure.words);
    if (failure === WRONG || (wasClosed && !circuit.isClosed())) giveUp(failure);
    return undefined;
  }

  function inTime(work: () => Promise<Reply>): Promise<{ readonly reply: Reply } | Failure> {
    const { promise, resolve } = Promise.withResolvers<{ readonly reply: Reply } | Failure>();
    let callOff = () => {};
    let isOver = false;
    const startedAt = outside.monotonic();
    let waitedMs = 0;
    const wait = () => {
      const dueAt = outside.monotonic() + LOOK_MS;
      callOff = outside.alarm(LOOK_MS, async () => {
        const at = outside.monotonic();
        if (at - dueAt <= BUSY_MS) waitedMs += LOOK_MS;
        if (waitedMs < COMMAND_MS && at - startedAt < COMMAND_MS_WHILE_BUSY) return wait();
        // First reads what has just arrived.
        await outside.turn?.();
        await outside.turn?.();
        if (!isOver) resolve({ reason: "timeout", words: `no answer within ${COMMAND_MS} ms` });
      });
    };
    wait();
    work()
      .then(
        (reply) => resolve({ reply }),
        (error: unknown) => resolve(failureOf(error)),
      )
      .finally(() => {
        isOver = true;
        callOff();
      });
    return promise;
  }

  async function begin(): Promise<void> {
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const callOff = outside.alarm(BEGIN_MS, resolve);
    await Promise.race([client.begun, late]);
    callOff();
    await circuit.first();
  }

  return {
    call: (command, args, read) => bounded(() => client.call(command, args), read),
    run: (script, keys, args, read) => bounded(() => runScript(client, script, keys, args), read),
    isUp: circuit.isClosed,
    begun: begin(),
    close() {
      circuit.close();
      client.close();
    },
  };
}

const WRONG: Failure = { reason: "wrong", words: "an answer that cannot be right" };

const failureOf = (error: unknown): Failure => ({
  reason: error instanceof RefusedByServer ? "refused" : "lost",
  words: error instanceof Error ? error.message : String(error),
});
