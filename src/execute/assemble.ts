/**
 * Step 5: the gate that every vector passes. A reply that is not provably right is the provider's error.
 * Nothing that failed here is ever answered, kept or billed; a new doubt about a vector is a new check in `prove`.
 */
import { catalogueEntryNamed } from "../config/catalogue";
import { dimensionsToAsk } from "../domain/dimensions";
import { type About, GatewayError } from "../domain/errors";
import type { Answered, Part, Plan, Target } from "../domain/request";
import type { EmbedReply, TypedVector, VectorType } from "../plugin";
import { addsUp, countOf } from "../tokens/count";
import { isOffUnit } from "./lengths";

/**
 * Proves that a reply answers its part: as many vectors as inputs, their indices a permutation, one size, finite, not zero, and of
 * the model that was asked. Returns them in the part's order, finished to the size that was asked for and, where the model's are
 * (`normalized`), of unit length whatever the server made of them; further types, proved as well, as they came.
 * @param hasAnswered the target has given right vectors before: where all are zeros, it is the texts of which it makes nothing
 * @throws GatewayError malformed; its `input` is the place in the part of a vector that is at fault by itself
 */
export function prove(
  reply: EmbedReply,
  part: Part,
  plan: Pick<Plan, "requestedDimensions" | "dimensions" | "types">,
  target: Pick<Target, "model" | "facts"> & { readonly provider: { readonly name: string } },
  hasAnswered = false,
): Answered {
  const { pieces } = part;
  if (reply.model !== undefined && isForeign(reply.model, target)) {
    throw malformed(`it names the model "${reply.model.slice(0, 100)}", but "${target.model}" was requested`);
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
  refuseOtherSize(plan, size, target);
  const cut = Math.min(plan.dimensions ?? size, size);
  // What is cut away may be what tells that the rest is worth nothing: both lengths must be sound, the whole one first.
  const wholes = new Float64Array(pieces.length);
  const norms = cut < size ? new Float64Array(pieces.length) : wholes;
  const replied = ordered.map((values, i) => {
    // As many distinct indices in range as there are places: none is left empty.
    if (values === undefined) throw malformed("an index is missing");
    // An outside plugin's value was checked by no compiler.
    if (!(values instanceof Float32Array)) throw malformed("a vector is not a Float32Array");
    if (values.length !== size || size === 0)
      throw malformed(`a vector has ${values.length} dimensions, not ${size}`);
    wholes[i] = lengthOf(values);
    if (cut < size) norms[i] = lengthOf(values, cut);
    return values;
  });
  refuseUnsound(wholes, pieces, hasAnswered);
  refuseUnsound(norms, pieces, hasAnswered);
  const offLength = target.facts.normalized === false ? undefined : wholes.find(isOffUnit);
  const vectors = replied.map((values, i) => {
    const norm = norms[i] ?? 1;
    const isFinished = cut === size && (target.facts.normalized !== true || !isOffUnit(norm));
    return isFinished ? values : unitOf(values, cut, norm);
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
    ...(offLength !== undefined && { offLength }),
    ...(target.facts.normalized === undefined && cut === size && { lengths: wholes }),
  };
}

/** A size requested of a model whose own size was unknown: the answer has shown it. */
function refuseOtherSize(
  { requestedDimensions: asked }: Pick<Plan, "requestedDimensions">,
  size: number,
  { model, facts }: Pick<Target, "model" | "facts">,
): void {
  if (asked === undefined || asked === size || facts.dimensions !== undefined) return;
  if (facts.dimensions_allowed !== undefined || facts.dimensions_policy === "truncate") return;
  const message = `The model '${model}' does not make embeddings of ${asked} dimensions: its answers have ${size}.`;
  throw new GatewayError("unsupported_dimensions", message, { field: "dimensions" });
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

/** Only another model of the catalogue is foreign: an unknown name may be the provider's own name for this one. */
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

/** The beginning of a vector whose length is known, at unit length. */
function unitOf(values: Float32Array, size: number, norm: number): Float32Array {
  const unit = new Float32Array(size);
  for (let i = 0; i < size; i++) unit[i] = (values[i] ?? 0) / norm;
  return unit;
}

/**
 * Where some vectors are sound and one is not, its input is named: it may be the text that the model cannot take. All zeros is what a model
 * makes of a text in which it knows nothing (model2vec 0.10.0: "", blanks, unknown words); of several texts that say something, and all of
 * whose vectors are zeros, it is the provider that is broken, unless it has answered before.
 */
function refuseUnsound(norms: Float64Array, pieces: Part["pieces"], hasAnswered: boolean): void {
  const isSound = (norm: number) => Number.isFinite(norm) && norm !== 0;
  const index = norms.findIndex((norm) => !isSound(norm));
  if (index === -1) return;
  const others = norms.some(isSound);
  const isZero = norms[index] === 0;
  if (isZero && (others || hasAnswered || pieces.length === 1 || !saysSomething(pieces[index]?.input))) {
    const message = "The model returned only zeros for it: it is blank, or has no word that the model knows.";
    throw new GatewayError("no_vector", message, { input: index });
  }
  const what = isZero ? "a vector is all zeros" : "a vector holds a number that is not finite";
  throw malformed(what, { input: others ? index : undefined, isUnsound: true });
}

const saysSomething = (input: Part["pieces"][number]["input"] | undefined) =>
  typeof input !== "string" || /[\p{L}\p{N}]/u.test(input);

/** Of its beginning, or of the whole. In double precision: the squares of the largest float32 are still finite there. */
export function lengthOf(vector: Float32Array | Float64Array, size = vector.length): number {
  let even = 0;
  let odd = 0;
  let i = 0;
  // Two sums in turns: one alone would wait for itself at each number. By index: an iterator takes ten times as long.
  for (; i + 1 < size; i += 2) {
    const one = vector[i] ?? 0;
    const other = vector[i + 1] ?? 0;
    even += one * one;
    odd += other * other;
  }
  if (i < size) even += (vector[i] ?? 0) ** 2;
  return Math.sqrt(even + odd);
}

const malformed = (what: string, about?: About) =>
  new GatewayError("malformed", `The provider's answer cannot be used: ${what}.`, about);
