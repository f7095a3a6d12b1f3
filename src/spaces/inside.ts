/**
 * The fingerprint of the built-in model, which every gateway has: a route with the model's name is measured against it before it serves.
 * It was measured at infinity-emb 0.0.78 in float32. If PROBES change, measure it again (docs/spaces-measured.md says how).
 */
import { readCarried } from "../config/carried-fingerprints";
import type { Fingerprint } from "../domain/fingerprint";
import written from "./known/all-MiniLM-L6-v2.json";

let inside: readonly Fingerprint[] | undefined;

export function insideFingerprints(): readonly Fingerprint[] {
  if (inside) return inside;
  const read = readCarried(JSON.stringify(written), "inside");
  if (!read.ok) throw new Error(read.message);
  inside = read.fingerprints;
  return inside;
}
