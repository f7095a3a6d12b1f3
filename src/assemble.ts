/**
 * Step 5: the gate that every vector passes, and the putting together. A reply that is not provably right is the provider's error.
 * Nothing that failed here is ever answered, kept or billed; a new doubt about a vector is a new check in `prove`.
 */
import { catalogueEntryNamed } from "./config/catalogue";
import type { Answered, Part, Plan, Result, Route, TokensSource } from "./domain";
import { GatewayError } from "./errors";
import type { EmbedReply } from "./plugin";
import { countOf } from "./tokens/count";

/**
 * Proves that a reply answers its part: as many vectors as inputs, their indices a permutation, one size, finite, not zero, and of
 * the model that was asked. Returns them in the part's order, finished to the size and norm that were asked for.
 * @throws GatewayError malformed
 */
export function prove(reply: EmbedReply, part: Part, plan: Plan, route: Route): Answered {
  const { inputs, places } = part;
  if (reply.model !== undefined && isForeign(reply.model, route)) {
    throw malformed(
      `it speaks of the model "${reply.model.slice(0, 100)}", but "${route.target.model}" was asked for`,
    );
  }
  if (reply.vectors.length !== inputs.length) {
    throw malformed(`${reply.vectors.length} vectors came back for ${inputs.length} inputs`);
  }
  const ordered = new Array<Float32Array | undefined>(inputs.length);
  for (const { index, values } of reply.vectors) {
    if (!Number.isInteger(index) || index < 0 || index >= inputs.length)
      throw malformed(`it has an index ${index}`);
    if (ordered[index] !== undefined) throw malformed(`it has the index ${index} twice`);
    ordered[index] = values;
  }
  const size = plan.askedDimensions ?? route.facts.dimensions ?? reply.vectors[0]?.values.length ?? 0;
  const vectors = ordered.map((values) => {
    // As many distinct indices in range as there are places: none is left empty.
    if (values === undefined) throw malformed("an index is missing");
    // An outside plugin's word for it was checked by nobody's compiler.
    if (!(values instanceof Float32Array)) throw malformed("a vector is not a Float32Array");
    if (values.length !== size || size === 0)
      throw malformed(`a vector has ${values.length} dimensions, not ${size}`);
    return finished(values, plan, route);
  });
  const { tokens, tokensSource } = countOf(reply, inputs);
  return {
    part,
    vectors,
    tokens,
    tokensSource,
    truncated: placed(reply.truncated, places),
    averaged: placed(reply.averaged, places),
  };
}

/** Only another model of the catalogue is foreign: a name that nobody knows may be the provider's own way to call this one. */
function isForeign(replyName: string, route: Route): boolean {
  const asked = catalogueEntryNamed(route.target.model);
  const replied = catalogueEntryNamed(replyName);
  return (
    asked !== undefined &&
    replied !== undefined &&
    asked !== replied &&
    !route.facts.reply_names.includes(replyName)
  );
}

function finished(values: Float32Array, plan: Plan, route: Route): Float32Array {
  const cut = plan.dimensions !== undefined && plan.dimensions < values.length;
  const vector = cut ? values.slice(0, plan.dimensions) : values;
  const norm = lengthOf(vector);
  if (!Number.isFinite(norm)) throw malformed("a vector holds a number that is not finite");
  if (norm === 0) throw malformed("a vector is all zeros");
  return cut || !route.facts.normalized ? vector.map((value) => value / norm) : vector;
}

/** In double precision: the squares of the largest float32 are still finite there. */
function lengthOf(vector: Float32Array): number {
  let sum = 0;
  for (const value of vector) sum += value * value;
  return Math.sqrt(sum);
}

function placed(within: readonly number[] | undefined, places: readonly number[]): number[] {
  return (within ?? []).map((i) => places[i] ?? i);
}

/**
 * Puts the parts' vectors in the order of the request.
 * @throws GatewayError internal when an input has no vector or two: a fault of ours that must not become a wrong vector
 */
export function assemble(answers: readonly Answered[], inputCount: number): Result {
  const vectors = new Array<Float32Array>(inputCount);
  const seen = new Set<number>();
  let tokens = 0;
  for (const { part, vectors: own, tokens: ownTokens } of answers) {
    for (const [i, place] of part.places.entries()) {
      const vector = own[i];
      if (vector === undefined || seen.has(place) || place >= inputCount) throw lost();
      seen.add(place);
      vectors[place] = vector;
    }
    tokens += ownTokens;
  }
  const size = vectors[0]?.length;
  if (seen.size !== inputCount || vectors.some((vector) => vector.length !== size)) throw lost();
  return {
    vectors,
    tokens,
    tokensSource: weakest(answers.map(({ tokensSource }) => tokensSource)),
    truncated: inOrder(answers.flatMap(({ truncated }) => truncated)),
    averaged: inOrder(answers.flatMap(({ averaged }) => averaged)),
  };
}

/** A sum is as good as its worst part. */
function weakest(sources: readonly TokensSource[]): TokensSource {
  const order: readonly TokensSource[] = ["estimated", "counted", "header", "provider"];
  return order.find((source) => sources.includes(source)) ?? "estimated";
}

const inOrder = (places: number[]) => places.sort((a, b) => a - b);
const lost = () =>
  new GatewayError("internal", "The gateway lost track of which vector belongs to which input.");
const malformed = (what: string) =>
  new GatewayError("malformed", `The provider's answer cannot be used: ${what}.`);
