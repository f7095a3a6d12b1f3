/**
 * The length of a target's vectors, from answer to answer. Of a model that nobody knows to be normalised they are passed on as they come, which is
 * told once; but a server whose vectors are some of unit length and some far from it answers one text with two vectors, and is refused.
 * What is done to one answer is assemble.ts's.
 */
import { GatewayError } from "../domain/errors";
import type { Health } from "../domain/health";
import type { Answered, Target } from "../domain/request";
import { healthOf } from "./choose";
import type { Work } from "./work";

/** What float32 and 16 bits on a server's way leave of a unit vector's length; a vector that was not normalised is far from it. */
const UNIT_TOLERANCE = 1e-3;
export const isOffUnit = (norm: number) => Math.abs(norm - 1) > UNIT_TOLERANCE;

/** Coarser numbers (8 bits, few decimals) leave unit vectors nearer to 1 than that. */
const FAR = 0.05;
const isFar = (norm: number) => Math.abs(norm - 1) > FAR;

/** Where vectors have lengths of their own, far fewer of them than that are 1 by chance: some in a thousand. */
const UNIT_SHARE_MIN = 1 / 8;

/**
 * Counts the lengths of an answer whose model may be normalised or not.
 * @throws GatewayError malformed where the target's vectors are of both sorts, by this answer and those before; of this size, since servers
 *   that shorten vectors (infinity-emb 0.0.78) normalise the whole ones only
 */
export function refuseMixedLengths(
  { lengths, vectors }: Pick<Answered, "lengths" | "vectors">,
  { lengthsSeen }: Pick<Health, "lengthsSeen">,
): void {
  if (lengths === undefined) return;
  const size = vectors[0]?.length ?? 0;
  const seen = lengthsSeen.get(size) ?? { all: 0, unit: 0, far: undefined };
  lengthsSeen.set(size, seen);
  for (const norm of lengths) {
    seen.all += 1;
    if (!isOffUnit(norm)) seen.unit += 1;
    else if (isFar(norm)) seen.far = norm;
  }
  if (seen.far === undefined || seen.unit === 0 || seen.unit < seen.all * UNIT_SHARE_MIN) return;
  const message = `The provider's answer cannot be used: some of its vectors are of length 1 and some are not (${seen.far.toPrecision(3)}). For the model in the routing file set normalized: true, so that the gateway normalises all of them, or normalized: false to pass them on as they are.`;
  throw new GatewayError("malformed", message);
}

/** Once for each model at a provider: nothing is wrong for the caller, but it may not be what the operator meant. */
export function tellLength({ offLength }: Answered, { outside }: Work, target: Target): void {
  const health = healthOf(target);
  if (offLength === undefined || health.isToldOfLength) return;
  health.isToldOfLength = true;
  const about = {
    provider: target.provider.name,
    model: target.model,
    length: Number(offLength.toPrecision(4)),
  };
  if (target.facts.normalized) {
    outside.log("warn", "provider's vectors are not of unit length: the gateway normalises them", about);
  } else {
    outside.log("warn", "provider's vectors are not of unit length: they are passed on unchanged", about);
  }
}
