/**
 * Step 3: what exactly is to be embedded. Token arrays are decoded where the provider takes text, and inputs that are too long are found
 * before anything is sent: refused, cut, or taken to pieces (src/tokens/long-inputs.ts).
 */
import type { EmbedRequest, Piece, Plan, Route } from "./domain";
import { GatewayError } from "./errors";
import { vocabularyOf } from "./facts";
import type { Input } from "./plugin";
import { fitted } from "./tokens/long-inputs";
import type { Tokens } from "./tokens/tokens";

/**
 * @param places in the request, of the inputs that are to be embedded
 * @throws GatewayError invalid | input_too_long, with the place of the input at fault
 */
export async function plan(
  request: EmbedRequest,
  places: readonly number[],
  route: Route,
  tokens: Tokens,
): Promise<Plan> {
  const { facts } = route;
  const asked: Piece[] = [];
  for (const place of places) {
    const input = request.inputs[place];
    if (input !== undefined) asked.push({ input, place, weight: 1 });
  }
  const decode = facts.token_ids === "decode" && asked.some(({ input }) => typeof input !== "string");
  const texts = decode ? await decoded(asked, vocabularyOf(facts), tokens) : asked;
  const { pieces, truncated } = await fitted(texts, route, tokens);
  return {
    pieces,
    requestedDimensions: request.dimensions,
    dimensions: request.dimensions ?? facts.dimensions,
    decodedWith: decode ? vocabularyOf(facts) : undefined,
    longInput: facts.long_input,
    indivisible: route.targets.some(({ provider }) => provider.isIndivisible(request)),
    truncated,
  };
}

async function decoded(
  pieces: readonly Piece[],
  vocabulary: ReturnType<typeof vocabularyOf>,
  tokens: Tokens,
): Promise<readonly Piece[]> {
  const ids: Uint32Array[] = [];
  for (const { input } of pieces) if (typeof input !== "string") ids.push(input);
  try {
    // A request's inputs are all texts or all token arrays (the schema says so), so places agree.
    const texts: readonly Input[] = await tokens.decode(vocabulary, ids);
    return pieces.map((piece, i) => ({ ...piece, input: texts[i] ?? piece.input }));
  } catch (thrown) {
    if (!(thrown instanceof GatewayError) || thrown.input === undefined) throw thrown;
    throw new GatewayError(thrown.kind, thrown.message, { input: pieces[thrown.input]?.place });
  }
}
