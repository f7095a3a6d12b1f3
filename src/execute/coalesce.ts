/**
 * Requests of one input that ask the same provider for the same share a call, also across workspaces. Off unless the provider's entry says
 * `coalesce_ms`, or its plugin `coalesce`; lines of batches always do. A new reason for a request to go alone is a line of `mayJoin`.
 */
import type { Coalescing, Target } from "../domain/request";
import { callFor } from "./call";
import { healthOf } from "./choose";
import { beginJointCall, type InTurn, type JointCall, type Single, type Told } from "./joint-call";
import type { Work } from "./work";

/** Of each provider, the calls that may be joined now, by all that those in one must have in common. They go with the provider. */
const joinableOf = new WeakMap<Coalescing, Map<string, JointCall>>();

/** Calls to a provider that may be joined now. */
export function joinableCalls(coalescing: Coalescing): Map<string, JointCall> {
  const known = joinableOf.get(coalescing);
  if (known) return known;
  const begun = new Map<string, JointCall>();
  joinableOf.set(coalescing, begun);
  return begun;
}

/** @returns undefined where the input is to be sent alone */
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

/** Lines of batches always: no client waits for a single line. */
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
  // Many a provider refuses it, and the whole call with it.
  if (piece.input === "") return false;
  if (chosen.isLast || !healthOf(chosen.target).breaker.isClosed()) return false;
  // Should the call fail over another's input, it must still be allowed to be sent alone; so must the one beside it, if there is one.
  return chosen.callsLeft >= (route.hedgeAfterMs === undefined ? 2 : 3);
}

/** Equal where two inputs may go in one call, and be proved and finished alike. Texts and token ids never share one. */
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
