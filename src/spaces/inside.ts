/**
 * The fingerprint of the built-in model, which every gateway has: a route with the model's name is measured against it before it serves.
 * It was measured at infinity-emb 0.0.78 in float32. If PROBES change, measure it again (docs/spaces-measured.md says how).
 */
import { vectorOf } from "../config/carried-fingerprints";
import type { Fingerprint } from "../domain/fingerprint";
import { onFirstUse } from "../domain/first-use";
import written from "./known/all-MiniLM-L6-v2.json";

/** What the executable carries was checked before it was built (test/spaces/inside.test.ts): a start reads no vectors. */
const INSIDE: readonly Fingerprint[] = written.spaces.map((one) => {
  const vectors = onFirstUse(() => one.vectors.map((text) => (text === null ? undefined : vectorOf(text))));
  return {
    space: one.space,
    dimensions: one.dimensions,
    provider: one.provider,
    model: one.model,
    confirmed: one.confirmed,
    measuredAt: Date.parse(one.measured_at),
    paidAt: null,
    source: "inside",
    get vectors() {
      return vectors();
    },
  };
});

export const insideFingerprints = () => INSIDE;
