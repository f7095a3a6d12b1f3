/**
 * The meaning of a "too long" error that does not say which text is too long, or whether their sum is.
 * The vendor's wording is in its plugin.
 */
import type { Explanation } from "../src/plugin";

/** A call with several inputs is split in halves to find out; a single input is too long itself. */
export const tooLongAmong = (inputs: number): Pick<Explanation, "kind" | "input"> =>
  inputs > 1 ? { kind: "too_many_tokens" } : { kind: "input_too_long", input: 0 };
