/**
 * One shared server as the rest of the gateway sees it: an answer within 50 ms, or none. Every failure counts for the circuit breaker, also
 * those that a caller never hears of; nothing is queued, nothing is thrown, and a change of state is one line in the log.
 * A further way to fail is a member of `FailureReason`, told where it is noticed.
 */
import type { Outside } from "../domain/outside";
import { type Argument, RefusedByServer, type Reply, type ValkeyClient } from "../domain/valkey";
import { createCircuit } from "./circuit";
import { runScript, type Script } from "./script";

/** What a server is for. Vectors are megabytes: on one connection the limits would wait behind them. */
export type Use = "limits" | "cache";

/** timeout: no answer in time. lost: no connection. refused: the server's own error. wrong: an answer that cannot be right. */
export type FailureReason = "timeout" | "lost" | "refused" | "wrong";

/** Makes of a reply what is asked for; undefined where it cannot be right. */
export type Read<Value> = (reply: Reply) => Value | undefined;

export interface Link {
  /** @returns undefined where there was no answer, or none that can be right; it never throws */
  call<Value>(command: string, args: readonly Argument[], read: Read<Value>): Promise<Value | undefined>;
  /** Likewise, of a script. @param keys of one hash slot */
  run<Value>(
    script: Script,
    keys: readonly string[],
    args: readonly Argument[],
    read: Read<Value>,
  ): Promise<Value | undefined>;
  /** Whether it is asked at all. */
  isUp(): boolean;
  /** Resolves once it is known whether the server answers; after a second at most. */
  readonly begun: Promise<void>;
  close(): void;
}

/** A limit or a cached vector that takes longer costs more than it saves. */
const COMMAND_MS = 50;
/** An alarm that rings so late tells of the own process, not of the server: it rings again. */
const BUSY_MS = 10;
const ROUNDS_WHILE_BUSY = 4;
const BEGIN_MS = 1_000;
const PROBE_KEPT_MS = 10_000;

export interface LinkParts {
  readonly use: Use;
  readonly client: ValkeyClient;
  /** As it may be logged. */
  readonly address: string;
  /** A key of the gateway's own to write and forget: a server that is full answers a PING all the same. */
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
        outside.log("error", "shared server does not answer: this machine goes on without it", {
          ...about,
          reason,
        });
    },
  });

  /** On a connection that has gone silent, or out of step, no later answer could be trusted either. */
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
    const wait = (rounds: number) => {
      const dueAt = outside.monotonic() + COMMAND_MS;
      callOff = outside.alarm(COMMAND_MS, async () => {
        // The process itself may have been busy all the time: what has come meanwhile is read first, and is no fault of the server's.
        await outside.turn?.();
        if (isOver) return;
        if (outside.monotonic() - dueAt > BUSY_MS && rounds > 1) return wait(rounds - 1);
        resolve({ reason: "timeout", words: `no answer within ${COMMAND_MS} ms` });
      });
    };
    wait(ROUNDS_WHILE_BUSY);
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
