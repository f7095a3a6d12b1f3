/**
 * Tracks the length (norm) of a target's vectors over its answers. Vectors of a model that is not known to be normalised are passed on unchanged,
 * and the log says so once. But a server that returns some vectors at unit length and some far from it gives one text two different vectors:
 * its answers are refused. assemble.ts checks single answers.
 */
import { GatewayError } from "../domain/errors";
import type { Health } from "../domain/health";
import type { Answered, Target } from "../domain/request";
import { healthOf } from "./choose";
import type { Work } from "./work";

/** How far a unit vector's length may be off after float32 and 16-bit rounding on the server; a vector that was not normalised is far further off. */
const UNIT_TOLERANCE = 1e-3;
export const isOffUnit = (norm: number) => Math.abs(norm - 1) > UNIT_TOLERANCE;

/** Coarser numbers (8 bits, few decimals) still keep unit vectors closer to 1 than this. */
const FAR = 0.05;
const isFar = (norm: number) => Math.abs(norm - 1) > FAR;

/** If vectors are not normalised, a far smaller share has length 1 by chance: a few in a thousand. */
const UNIT_SHARE_MIN = 1 / 8;

/**
 * Counts the vector lengths in an answer of a model that may be normalised or not.
 * @throws GatewayError malformed if the target's vectors are of both kinds, over this answer and those before. Counted per size, since servers
 *   that shorten vectors (infinity-emb 0.0.78) normalise only the full ones
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

/** Logged once per model and provider: nothing is wrong for the caller, but the operator may not expect it. */
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
