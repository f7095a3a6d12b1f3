/**
 * Which calls servers may get: no storm, nothing twice that was received, and nothing that is already being fetched or cached.
 * A new promise about calls is a loop here.
 */
import type { Ask } from "./asks";
import { Breach, byPart, type Call, hasFailedTrial, isGood, isTrial, PROBE } from "./calls";
import { LOCK_WAIT_MS, type Sent } from "./judge-answer";
import { ATTEMPTS_MAX } from "./judge-error";
import type { Scenario } from "./scenario";
import { nameOf, type SimInput } from "./truth";

/** @param upSinceMs when each life of the gateway began @throws Breach */
export function judgeCalls(
  sent: readonly Sent[],
  calls: readonly Call[],
  { cache, disk, models }: Scenario,
  upSinceMs: readonly number[],
): void {
  const open = calls.find(({ end }) => end === undefined);
  if (open) throw new Breach("no call is left open", `call ${open.number}`);
  // The same texts are measured again and again.
  const forClients = calls.filter(({ ask }) => ask !== PROBE);
  for (const [partKey, attempts] of byPart(forClients))
    if (attempts.length > ATTEMPTS_MAX)
      throw new Breach("no part is called for too often", `${attempts.length} times ${partKey.slice(0, 80)}`);
  for (const attempts of byPart(forClients).values()) judgePatience(attempts);
  for (const { ask } of sent) {
    // Both of two hedged calls may be answered at the same moment.
    const isHedged = models.some(({ hedgeAfterMs }) => hedgeAfterMs !== undefined) && ask.inputs.length === 1;
    if (isHedged) continue;
    const had = calls.filter((call) => call.ask === ask.id && isGood(call) && !isTrial(call));
    // After a test that failed for good another server may be asked, but not the same one.
    const byServer = hasFailedTrial(ask.id, calls)
      ? [...Map.groupBy(had, ({ server }) => server).values()]
      : [had];
    const twice = byServer
      .map((own) => repeated(own.flatMap(({ inputs }) => inputs.map(nameOf))))
      .find((name) => name !== undefined);
    if (twice !== undefined)
      throw new Breach("only what failed is asked for again", `${ask.id} had twice ${twice.slice(0, 80)}`);
  }
  // A cache without memory stores nothing, or has it on disk only once it was written there.
  judgeScopes(sent, calls);
  const isLocked = disk.some(({ fault }) => fault === "locked");
  judgeSharing(sent, calls, cache !== false && cache.memoryMb > 0, upSinceMs, isLocked ? LOCK_WAIT_MS : 0);
}

/** A server that sent Retry-After gets no call until then. */
function judgePatience(attempts: readonly Call[]): void {
  for (const [i, call] of attempts.entries()) {
    const next = attempts[i + 1];
    // A date has whole seconds, and was right when the call came.
    const backMs = call.startedMs + call.waitMs - 1_000;
    if (
      next &&
      call.waitMs > 0 &&
      call.end === "answered" &&
      next.server === call.server &&
      // The other call of a hedged pair did not know it.
      next.startedMs >= (call.endedMs ?? 0) &&
      next.startedMs < backMs
    )
      throw new Breach(
        "Retry-After is obeyed",
        `call ${next.number} came too early after call ${call.number}`,
      );
  }
}

function repeated(names: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return names.find((name) => seen.size === seen.add(name).size);
}

/** The vectors in an answer were fetched by somebody of its workspace: for its model, with its dimensions. */
function judgeScopes(sent: readonly Sent[], calls: readonly Call[]): void {
  const byId = new Map(sent.map(({ ask }) => [ask.id, ask]));
  const fetched = new Set<string>();
  for (const call of calls.filter(isGood)) {
    const ask = byId.get(call.ask);
    if (ask) for (const input of call.inputs) fetched.add(keyOf(ask, input));
  }
  for (const { ask, status } of sent) {
    const strange = status === 200 ? ask.inputs.find((input) => !fetched.has(keyOf(ask, input))) : undefined;
    if (strange !== undefined)
      throw new Breach("no workspace is answered from another's vectors", `${ask.id}: ${nameOf(strange)}`);
  }
}

/** Equal inputs in flight are fetched once; cached ones are not fetched again. */
function judgeSharing(
  sent: readonly Sent[],
  calls: readonly Call[],
  isKept: boolean,
  upSinceMs: readonly number[],
  writtenAfterMs: number,
): void {
  const byId = new Map(sent.map((way) => [way.ask.id, way]));
  const lifeOf = (call: Call) => upSinceMs.findLastIndex((sinceMs) => sinceMs <= call.startedMs);
  // With its first measurement a space gets its own name, and what was cached before is not found again.
  const probes = calls.filter(({ ask }) => ask === PROBE);
  // It is measured once that is written, which a lock delays.
  const isMeasured = (model: Call["model"], fromMs: number, toMs: number) =>
    probes.some(
      ({ model: measured, endedMs = 0 }) =>
        measured === model && endedMs + writtenAfterMs >= fromMs && endedMs <= toMs,
    );
  const before = new Map<string, Call[]>();
  for (const call of calls) {
    const way = byId.get(call.ask);
    if (!way || !sharesAll(way.ask)) continue;
    for (const input of call.inputs) {
      const key = `${lifeOf(call)} ${keyOf(way.ask, input)}`;
      const earlier = before.get(key) ?? [];
      const same = earlier.find(
        (other) =>
          other.ask !== call.ask &&
          !isMeasured(call.model, Math.min(way.sentMs, byId.get(other.ask)?.sentMs ?? 0), call.startedMs) &&
          ((other.endedMs ?? call.startedMs) > call.startedMs ||
            (isKept && isGood(other) && (other.endedMs ?? 0) < call.startedMs)),
      );
      if (same)
        throw new Breach(
          "what is known or under way is not fetched again",
          `call ${call.number} for ${call.ask} repeats call ${same.number}: ${nameOf(input).slice(0, 80)}`,
        );
      before.set(key, [...earlier, call]);
    }
  }
}

const sharesAll = (ask: Ask) => ask.headers["cache-control"] === undefined;

function keyOf({ workspace, model, dimensions }: Ask, input: SimInput): string {
  return JSON.stringify([workspace, model?.id, dimensions ?? model?.dimensions, nameOf(input)]);
}
