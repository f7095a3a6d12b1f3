/**
 * The meaning of a "too long" error that says neither which text nor whether it is their sum.
 * The vendor's wording is in its plugin.
 */
import type { Explanation } from "../src/plugin";

/** With several inputs the call is halved to find out; a single one is at fault itself. */
export const tooLongAmong = (inputs: number): Pick<Explanation, "kind" | "input"> =>
  inputs > 1 ? { kind: "too_many_tokens" } : { kind: "input_too_long", input: 0 };
