/**
 * Tracks the length (norm) of a target's vectors over its answers. Vectors of a model that is not known to be normalised are passed on unchanged,
 * and the log says so once. But a server that returns some vectors at unit length and some far from it gives one text two different vectors:
 * its answers are refused. assemble.ts checks single answers.
 */
import { GatewayError } from "../domain/errors";
import type { Health } from "../domain/health";
import { countLengths } from "../domain/lengths";
import type { Answered, Target } from "../domain/request";
import { healthOf } from "./choose";
import type { Work } from "./work";

/** Without normalisation far fewer vectors than this have length 1 by chance: a few in a thousand. */
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
  const seen = countLengths(lengthsSeen, vectors[0]?.length ?? 0, lengths);
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
