/**
 * Step 3: how a request becomes calls. Token arrays are decoded where the provider takes text, over-long inputs are found before
 * anything is sent, and the rest is split by the provider's limits in inputs, tokens and bytes.
 */
import { isAllowed } from "./admission";
import type { EmbedRequest, Part, Plan, Route } from "./domain";
import { GatewayError } from "./errors";
import type { ModelFacts } from "./facts";
import type { Input } from "./plugin";
import type { Tokens } from "./tokens/tokens";

/** @throws GatewayError invalid | input_too_long, with the place of the input at fault */
export async function plan(request: EmbedRequest, route: Route, tokens: Tokens): Promise<Plan> {
  const { facts } = route;
  const hasTokenIds = request.inputs.some((input) => typeof input !== "string");
  const decode = hasTokenIds && facts.token_ids === "decode";
  const inputs = decode ? await decoded(request.inputs, facts, tokens) : request.inputs;
  if (!route.target.provider.countsTokens) await refuseTooLong(inputs, route, tokens);
  const native = request.dimensions !== undefined && isNative(request.dimensions, facts);
  return {
    parts: split(inputs, facts),
    dimensions: request.dimensions ?? facts.dimensions,
    askedDimensions: native ? request.dimensions : undefined,
    decodedWith: decode ? facts.tokenizer : undefined,
    longInput: facts.long_input,
  };
}

/** The provider is asked for a size only where it makes that size itself; its one own size it is never asked for. */
function isNative(size: number, facts: ModelFacts): boolean {
  return facts.dimensions_allowed !== undefined && isAllowed(size, facts.dimensions_allowed);
}

async function decoded(
  inputs: readonly Input[],
  facts: ModelFacts,
  tokens: Tokens,
): Promise<readonly Input[]> {
  const ids = inputs.filter((input) => typeof input !== "string");
  const texts = await tokens.decode(facts.tokenizer, ids);
  // A request's inputs are all texts or all token arrays (the schema says so), so places agree.
  return texts;
}

async function refuseTooLong(inputs: readonly Input[], route: Route, tokens: Tokens): Promise<void> {
  const limit = route.facts.max_input_tokens;
  if (limit === undefined) return;
  const long: { place: number; text: string }[] = [];
  for (const [place, input] of inputs.entries()) {
    if (typeof input !== "string") {
      if (input.length > limit) throw tooLong(place, `${input.length} tokens`, limit, route);
    } else if (Buffer.byteLength(input) > limit) {
      // A token is at least one byte of UTF-8: only a text of more bytes than that can be over the limit.
      long.push({ place, text: input });
    }
  }
  if (long.length === 0) return;
  const counts = await tokens.count(
    route.facts.tokenizer,
    long.map(({ text }) => text),
    limit,
  );
  for (const [i, { place }] of long.entries()) {
    if ((counts[i] ?? 0) > limit) throw tooLong(place, `more than ${limit} tokens`, limit, route);
  }
}

function tooLong(input: number, count: string, limit: number, route: Route): GatewayError {
  return new GatewayError(
    "input_too_long",
    `${count}, but the model '${route.id}' takes at most ${limit} in one input. Send it in shorter pieces.`,
    { input },
  );
}

/** Consecutive inputs, as many a part as every limit allows. An input that alone is over a limit goes alone: the provider decides. */
export function split(
  inputs: readonly Input[],
  facts: Pick<ModelFacts, "max_inputs" | "max_call_tokens" | "max_call_bytes">,
): Part[] {
  const {
    max_inputs,
    max_call_tokens = Number.POSITIVE_INFINITY,
    max_call_bytes = Number.POSITIVE_INFINITY,
  } = facts;
  const parts: Part[] = [];
  let current: { inputs: Input[]; places: number[] } = { inputs: [], places: [] };
  let tokenSum = 0;
  let byteSum = 0;
  for (const [place, input] of inputs.entries()) {
    const bytes = typeof input === "string" ? Buffer.byteLength(input) : 0;
    // A text's bytes bound its tokens from above: a few calls more, but never one over the limit.
    const tokens = typeof input === "string" ? bytes : input.length;
    const full =
      current.inputs.length >= max_inputs ||
      tokenSum + tokens > max_call_tokens ||
      byteSum + bytes > max_call_bytes;
    if (full && current.inputs.length > 0) {
      parts.push(current);
      current = { inputs: [], places: [] };
      tokenSum = 0;
      byteSum = 0;
    }
    current.inputs.push(input);
    current.places.push(place);
    tokenSum += tokens;
    byteSum += bytes;
  }
  if (current.inputs.length > 0) parts.push(current);
  return parts;
}
