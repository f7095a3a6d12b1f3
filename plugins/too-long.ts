/**
 * What a refusal means that says a text is too long, but neither which one nor whether it is all of them together.
 * How a vendor words it is in that vendor's plugin.
 */
import type { Explanation } from "../src/plugin";

/** Of several inputs, half a call will tell; one alone is at fault itself. */
export const tooLongAmong = (inputs: number): Pick<Explanation, "kind" | "input"> =>
  inputs > 1 ? { kind: "too_many_tokens" } : { kind: "input_too_long", input: 0 };
