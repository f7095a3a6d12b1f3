/**
 * Step 5: the gate that every vector passes. A reply that is not provably right is the provider's error.
 * Nothing that failed here is ever answered, kept or billed; a new doubt about a vector is a new check in `prove`.
 */
import { catalogueEntryNamed } from "./config/catalogue";
import { dimensionsToAsk } from "./dimensions";
import type { Answered, Part, Plan, Target } from "./domain";
import { type About, GatewayError } from "./errors";
import type { EmbedReply, TypedVector, VectorType } from "./plugin";
import { addsUp, countOf } from "./tokens/count";

/**
 * Proves that a reply answers its part: as many vectors as inputs, their indices a permutation, one size, finite, not zero, and of
 * the model that was asked. Returns them in the part's order, finished to the size and norm that were asked for; further types,
 * proved as well, as they came.
 * @throws GatewayError malformed; its `input` is the place in the part of a vector that is at fault by itself
 */
export function prove(
  reply: EmbedReply,
  part: Part,
  plan: Pick<Plan, "requestedDimensions" | "dimensions" | "types">,
  target: Pick<Target, "model" | "facts"> & { readonly provider: { readonly name: string } },
): Answered {
  const { pieces } = part;
  if (reply.model !== undefined && isForeign(reply.model, target)) {
    throw malformed(
      `it speaks of the model "${reply.model.slice(0, 100)}", but "${target.model}" was asked for`,
    );
  }
  if (reply.vectors.length !== pieces.length) {
    throw malformed(`${reply.vectors.length} vectors came back for ${pieces.length} inputs`);
  }
  const ordered = new Array<Float32Array | undefined>(pieces.length);
  const typed = new Array<TypedVector | undefined>(pieces.length);
  for (const { index, values, typed: further } of reply.vectors) {
    if (!Number.isInteger(index) || index < 0 || index >= pieces.length)
      throw malformed(`it has an index ${index}`);
    if (ordered[index] !== undefined) throw malformed(`it has the index ${index} twice`);
    ordered[index] = values;
    typed[index] = further;
  }
  const asked = dimensionsToAsk(plan.requestedDimensions, target.facts);
  const size = asked ?? target.facts.dimensions ?? reply.vectors[0]?.values.length ?? 0;
  const replied = ordered.map((values) => {
    // As many distinct indices in range as there are places: none is left empty.
    if (values === undefined) throw malformed("an index is missing");
    // An outside plugin's word for it was checked by nobody's compiler.
    if (!(values instanceof Float32Array)) throw malformed("a vector is not a Float32Array");
    if (values.length !== size || size === 0)
      throw malformed(`a vector has ${values.length} dimensions, not ${size}`);
    return values;
  });
  // Before it is cut: what the cut takes away may be what tells that the rest is worth nothing.
  refuseUnsound(replied.map(lengthOf));
  const sized = replied.map((values) => cutTo(plan.dimensions, values));
  const norms = sized.map(lengthOf);
  refuseUnsound(norms);
  const vectors = sized.map((vector, i) => {
    const norm = norms[i] ?? 1;
    const whole = vector.length === size && target.facts.normalized;
    return whole ? vector : vector.map((value) => value / norm);
  });
  const { types = [] } = plan;
  const { tokensByInput } = reply;
  if (tokensByInput !== undefined && !addsUp(tokensByInput, reply.tokens, pieces))
    throw malformed("the tokens of its inputs are not those of the call");
  const count = countOf(
    reply,
    pieces.map(({ input }) => input),
  );
  return {
    part,
    provider: target.provider.name,
    vectors,
    ...(types.length > 0 && { typed: typed.map((one) => provedTypes(one, types, size)) }),
    ...count,
    truncated: reply.truncated ?? [],
    averaged: reply.averaged ?? [],
  };
}

/** Of the types that were asked for each, and no other. The float vector beside them has proved that there is one. */
function provedTypes(
  typed: TypedVector | undefined,
  types: readonly VectorType[],
  size: number,
): TypedVector {
  for (const type of types) {
    const numbers: unknown = typed?.[type];
    if (!isOfType(type, numbers, size))
      throw malformed(`a vector in the type ${type} is not one of ${size} dimensions`);
    if (type === "int8" && numbers instanceof Int8Array && numbers.every((value) => value === 0))
      throw malformed("a vector in the type int8 is all zeros");
  }
  return Object.fromEntries(types.map((type) => [type, typed?.[type]]));
}

/** What numbers it may hold its array says, but for bits that are written a number each. */
function isOfType(type: VectorType, numbers: unknown, size: number): boolean {
  switch (type) {
    case "int8":
      return numbers instanceof Int8Array && numbers.length === size;
    case "uint8":
      return numbers instanceof Uint8Array && numbers.length === size;
    case "ubinary":
      return numbers instanceof Uint8Array && numbers.length * 8 === size;
    case "binary":
      if (numbers instanceof Int8Array) return numbers.length * 8 === size;
      return numbers instanceof Uint8Array && numbers.length === size && numbers.every((value) => value <= 1);
  }
}

/** Only another model of the catalogue is foreign: a name that nobody knows may be the provider's own way to call this one. */
function isForeign(replyName: string, { model, facts }: Pick<Target, "model" | "facts">): boolean {
  const asked = catalogueEntryNamed(model);
  const replied = catalogueEntryNamed(replyName);
  return (
    asked !== undefined &&
    replied !== undefined &&
    asked !== replied &&
    !facts.reply_names.includes(replyName)
  );
}

function cutTo(dimensions: number | undefined, values: Float32Array): Float32Array {
  return dimensions !== undefined && dimensions < values.length ? values.slice(0, dimensions) : values;
}

/** Where some vectors are sound and one is not, its input is named: it may be the text that the model cannot take. */
function refuseUnsound(norms: readonly number[]): void {
  const index = norms.findIndex((norm) => !Number.isFinite(norm) || norm === 0);
  if (index === -1) return;
  const others = norms.some((norm) => Number.isFinite(norm) && norm !== 0);
  const what = norms[index] === 0 ? "a vector is all zeros" : "a vector holds a number that is not finite";
  throw malformed(what, { input: others ? index : undefined, isUnsound: true });
}

/** In double precision: the squares of the largest float32 are still finite there. */
export function lengthOf(vector: Float32Array | Float64Array): number {
  let sum = 0;
  // By index: an iterator over a typed array takes ten times as long.
  for (let i = 0; i < vector.length; i++) {
    const value = vector[i] ?? 0;
    sum += value * value;
  }
  return Math.sqrt(sum);
}

const malformed = (what: string, about?: About) =>
  new GatewayError("malformed", `The provider's answer cannot be used: ${what}.`, about);
