/**
 * Request coalescing: single-input requests with equal parameters share one call to a provider, also across workspaces. Off unless the
 * provider's entry sets `coalesce_ms`, or its plugin `coalesce`; always on for lines of batches. A new reason to send a request alone goes into `mayJoin`.
 */
import type { Coalescing, Target } from "../domain/request";
import { callFor } from "./call";
import { healthOf } from "./choose";
import { beginJointCall, type InTurn, type JointCall, type Single, type Told } from "./joint-call";
import type { Work } from "./work";

/** For each provider, the calls that can still be joined, by the key of their common parameters. An entry is freed with its provider. */
const joinableOf = new WeakMap<Coalescing, Map<string, JointCall>>();

/** Calls to a provider that can still be joined. */
export function joinableCalls(coalescing: Coalescing): Map<string, JointCall> {
  const known = joinableOf.get(coalescing);
  if (known) return known;
  const begun = new Map<string, JointCall>();
  joinableOf.set(coalescing, begun);
  return begun;
}

/** @returns undefined if the input must be sent alone */
export function coalesced(single: Single, inTurn: InTurn): Promise<Told> | undefined {
  const { work, chosen, piece } = single;
  const coalescing = coalescingFor(work, chosen.target);
  if (coalescing === undefined || !mayJoin(single)) return undefined;
  const joinable = joinableCalls(coalescing);
  const key = keyOf(work, chosen.target, piece.input);
  const joined = joinable.get(key)?.join(single);
  if (joined) return joined;
  const call = beginJointCall(single, coalescing, inTurn, () => {
    if (joinable.get(key) === call) joinable.delete(key);
  });
  joinable.set(key, call);
  return call.join(single);
}

/** Lines of batches are always coalesced: no client waits for a single line. */
const BULK_WINDOW_MS = 5;
const bulkOf = new WeakMap<Target["provider"], Coalescing>();

function coalescingFor({ run }: Work, { provider }: Target): Coalescing | undefined {
  if (run.batch === undefined) return provider.coalescing;
  const known = bulkOf.get(provider);
  if (known) return known;
  const bulk = { windowMs: BULK_WINDOW_MS, isSpread: provider.coalescing?.isSpread ?? false };
  bulkOf.set(provider, bulk);
  return bulk;
}

function mayJoin({ work, chosen, piece, signal }: Single): boolean {
  const { plan, route, joint } = work;
  if (plan.pieces.length !== 1 || plan.indivisible || joint.isOver || signal.aborted) return false;
  // Many providers refuse an empty input, and the whole call with it.
  if (piece.input === "") return false;
  if (chosen.isLast || !healthOf(chosen.target).breaker.isClosed()) return false;
  // If the call fails because of another's input, this one must still have a call left to be sent alone, and so must a hedged second call.
  return chosen.callsLeft >= (route.hedgeAfterMs === undefined ? 2 : 3);
}

/** Equal for two inputs that may share one call and the checks of its reply. Texts and token ids never share one. */
function keyOf(work: Work, target: Target, input: Single["piece"]["input"]): string {
  const { requestedDimensions, dimensions } = work.plan;
  return JSON.stringify([
    callFor(work, target),
    typeof input === "string",
    requestedDimensions,
    dimensions,
    target.facts,
  ]);
}
