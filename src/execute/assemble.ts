/**
 * Step 5: checks every vector. A reply that is not provably right is the provider's error.
 * Nothing that fails here is answered, cached or billed. A new check goes into `prove`.
 */
import { catalogueEntryNamed } from "../config/catalogue";
import { dimensionsToAsk } from "../domain/dimensions";
import { type About, GatewayError } from "../domain/errors";
import { isOffUnit } from "../domain/lengths";
import type { Answered, Part, Plan, Target } from "../domain/request";
import type { EmbedReply, TypedVector, VectorType } from "../plugin";
import { addsUp, countOf } from "../tokens/count";

/**
 * Checks that a reply answers its part: as many vectors as inputs, indices that are a permutation, one size, finite values, no zero vectors, and the
 * model that was asked for. Returns the vectors in the part's order, shortened to the requested dimensions and, where the model's vectors are
 * normalised (`normalized`), scaled to unit length. Vectors of further types are checked too and returned unchanged.
 * @param hasAnswered the target has returned correct vectors before: if all vectors are zeros, the texts are the cause
 * @throws GatewayError malformed; its `input` is the index in the part of the one vector that is at fault
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
  const { types = NO_TYPES } = plan;
  const ordered = new Array<Float32Array | undefined>(pieces.length);
  const typed = types.length > 0 ? new Array<TypedVector | undefined>(pieces.length) : undefined;
  for (const { index, values, typed: further } of reply.vectors) {
    if (!Number.isInteger(index) || index < 0 || index >= pieces.length)
      throw malformed(`it has an index ${index}`);
    if (ordered[index] !== undefined) throw malformed(`it has the index ${index} twice`);
    ordered[index] = values;
    if (typed) typed[index] = further;
  }
  const asked = dimensionsToAsk(plan.requestedDimensions, target.facts);
  const size = asked ?? target.facts.dimensions ?? reply.vectors[0]?.values.length ?? 0;
  refuseOtherSize(plan, size, target);
  const cut = Math.min(plan.dimensions ?? size, size);
  // The removed end may hold what makes the vector invalid (NaN, for example): check both lengths, the whole vector first.
  const wholes = new Float64Array(pieces.length);
  const norms = cut < size ? new Float64Array(pieces.length) : wholes;
  const replied: Float32Array[] = [];
  for (let i = 0; i < ordered.length; i++) {
    const values = ordered[i];
    // There are as many distinct indices in range as places, so no place stays empty.
    if (values === undefined) throw malformed("an index is missing");
    // No compiler has checked the value of an external plugin.
    if (!(values instanceof Float32Array)) throw malformed("a vector is not a Float32Array");
    if (values.length !== size || size === 0)
      throw malformed(`a vector has ${values.length} dimensions, not ${size}`);
    wholes[i] = lengthOf(values);
    if (cut < size) norms[i] = lengthOf(values, cut);
    replied.push(values);
  }
  refuseUnsound(wholes, pieces, hasAnswered);
  if (norms !== wholes) refuseUnsound(norms, pieces, hasAnswered);
  const offLength = target.facts.normalized === false ? undefined : wholes.find(isOffUnit);
  const isCut = cut < size;
  const isScaled = target.facts.normalized === true;
  // In place: `replied` was made here.
  const vectors = replied;
  for (let i = 0; i < replied.length; i++) {
    const values = replied[i];
    const norm = norms[i] ?? 1;
    if (values && (isCut || (isScaled && isOffUnit(norm)))) vectors[i] = unitOf(values, cut, norm);
  }
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
    typed: typed?.map((one) => provedTypes(one, types, size)),
    tokens: count.tokens,
    tokensSource: count.tokensSource,
    tokensByInput: count.tokensByInput,
    truncated: reply.truncated ?? NO_PLACES,
    averaged: reply.averaged ?? NO_PLACES,
    offLength,
    lengths: target.facts.normalized === undefined && !isCut ? wholes : undefined,
  };
}

const NO_TYPES: readonly VectorType[] = [];
const NO_PLACES: readonly number[] = [];

/** The caller asked for dimensions of a model whose dimensions were unknown. The reply has now shown them. */
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

/** Checks that each vector comes in the requested types and no others. That there is a vector at all was checked with the float vector. */
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

/** The array's type limits the values, except for bits that are written as one number each. */
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

/** Only another model of the catalogue counts as a wrong model: an unknown name may be the provider's own name for this model. */
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

/** The first `size` values of a vector of known length, scaled to unit length. */
function unitOf(values: Float32Array, size: number, norm: number): Float32Array {
  const unit = new Float32Array(size);
  for (let i = 0; i < size; i++) unit[i] = (values[i] ?? 0) / norm;
  return unit;
}

/**
 * If some vectors are valid and one is not, the error names its input: the model may be unable to embed that text. A model returns zeros for
 * a text without any known word (model2vec 0.10.0: "", blanks, unknown words). If all vectors of several texts are zeros, the provider is broken,
 * unless it has answered correctly before.
 */
function refuseUnsound(norms: Float64Array, pieces: Part["pieces"], hasAnswered: boolean): void {
  const index = norms.findIndex(isUnsound);
  if (index === -1) return;
  const others = !norms.every(isUnsound);
  const isZero = norms[index] === 0;
  if (isZero && (others || hasAnswered || pieces.length === 1 || !saysSomething(pieces[index]?.input))) {
    const message = "The model returned only zeros for it: it is blank, or has no word that the model knows.";
    throw new GatewayError("no_vector", message, { input: index });
  }
  const what = isZero ? "a vector is all zeros" : "a vector holds a number that is not finite";
  throw malformed(what, { input: others ? index : undefined, isUnsound: true });
}

const isUnsound = (norm: number) => !Number.isFinite(norm) || norm === 0;

const saysSomething = (input: Part["pieces"][number]["input"] | undefined) =>
  typeof input !== "string" || /[\p{L}\p{N}]/u.test(input);

/** The length of the first `size` values. In double precision, because the square of a large float32 overflows float32. */
export function lengthOf(vector: Float32Array | Float64Array, size = vector.length): number {
  let even = 0;
  let odd = 0;
  let i = 0;
  // Two alternating sums: with one, each addition would wait for the one before. By index: an iterator is ten times slower.
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
