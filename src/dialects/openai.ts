/**
 * OpenAI's API by a dialect's policies: its body → EmbedRequest, Result → its body, any error → its envelope.
 * An unknown field is no error here, since the route's plugin may declare it (src/request/admission.ts checks that).
 */
import { type TUnsafe, Type } from "@sinclair/typebox";
import { type TypeCheck, TypeCompiler } from "@sinclair/typebox/compiler";
import { refuseControls, visible } from "../domain/control-characters";
import { GatewayError } from "../domain/errors";
import { FIELDS_BY_POLICY, type Policies } from "../domain/policies";
import type { EmbedRequest, Result } from "../domain/request";
import type { Input } from "../plugin";
import type { Entries, Script } from "../printing/script";
import { embeddingObjects } from "../printing/vectors";
import { refuseOwnFields } from "./callers-own";
import { DEPTH_MAX, isTooDeep } from "./depth";
import { explainBreach } from "./explain";
import { type SortedFields, sortFields } from "./fields";
import { type EmbeddingsRequest, embeddingsRequest } from "./openai-request";
import { refuseTokenIds } from "./texts";
import { meansSize } from "./vector-fields";
import type { Decoded } from "./wire";
import { wordingOf } from "./wording";

type RequestCheck = TypeCheck<TUnsafe<EmbeddingsRequest>>;

const DECIDING = [...FIELDS_BY_POLICY, "token_arrays", "base64", "empty_input", "max_inputs"] as const;

/** By the policies that affect them: few are in use, however many workspaces there are. */
const checks = new Map<string, RequestCheck>();

/** The same, for policies that were seen before. */
const seen = new WeakMap<Policies, RequestCheck>();

function checkFor(policies: Policies): RequestCheck {
  const known = seen.get(policies);
  if (known) return known;
  const check = checkByName(policies);
  seen.set(policies, check);
  return check;
}

function checkByName(policies: Policies): RequestCheck {
  const key = DECIDING.map((name) => policies[name]).join();
  const known = checks.get(key);
  if (known) return known;
  const check = TypeCompiler.Compile(Type.Unsafe<EmbeddingsRequest>(embeddingsRequest(policies)));
  checks.set(key, check);
  return check;
}

export interface DecodedRequest extends Pick<Decoded, "request" | "ignored"> {
  /** The caller's name for `dimensions`, if it is another word. */
  readonly sizeField: string | undefined;
}

/**
 * Reads a parsed JSON body as a request.
 * @throws GatewayError invalid, with the field's name
 */
export function decodeRequest(body: unknown, policies: Policies): DecodedRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new GatewayError("invalid", "The body must be a JSON object with 'model' and 'input'.");
  }
  const { known, unknown, ignored, sizeField } = withSize(sortFields(body, policies), policies);
  if (known.stream === true) {
    throw new GatewayError("invalid", "Embeddings are not streamed: leave 'stream' out.", {
      field: "stream",
    });
  }
  if (policies.token_arrays === "reject") refuseTokenIds(known.input, "input");
  const check = checkFor(policies);
  if (!check.Check(known)) {
    const breach = explainBreach(check, known);
    const field = breach.field === "dimensions" ? (sizeField ?? breach.field) : breach.field;
    const message = breach.message.replace("'dimensions'", `'${sizeField ?? "dimensions"}'`);
    throw new GatewayError("invalid", message, { field });
  }
  refuseLoneSurrogates(known);
  const extraBody = known.extra_body ?? {};
  for (const name in unknown) refuseDepth(name, unknown[name]);
  refuseDepth("extra_body", extraBody);
  refuseDepth("metadata", known.metadata);
  refuseUnseen(known);
  refuseOwnFields(extraBody, "extra_body.");
  // Forwarded fields must be as harmless as the contents of extra_body.
  if (policies.unknown_fields === "forward") refuseOwnFields(unknown, "");
  const request = {
    model: known.model,
    inputs: inputsOf(known.input),
    encoding: known.encoding_format ?? "float",
    dimensions: known.dimensions ?? undefined,
    user: known.user ?? undefined,
    metadata: known.metadata ?? undefined,
    extraBody,
    fields: unknown,
  };
  return { request, ignored, sizeField };
}

/** Reads dimensions in a vendor's word as `dimensions`. @throws GatewayError invalid if the two differ, or dimensions are not supported */
function withSize(
  sorted: SortedFields,
  { dimensions }: Policies,
): SortedFields & Pick<DecodedRequest, "sizeField"> {
  const { known: given, unknown, ignored } = sorted;
  const sizes = Object.entries(unknown).filter(([name]) => meansSize(name));
  const [size] = sizes;
  if (size === undefined) return { known: given, unknown, ignored, sizeField: undefined };
  const [field, asked] = size;
  const said = [sorted.known.dimensions ?? asked, ...sizes.map(([, value]) => value)];
  if (dimensions !== "honour" || said.some((value) => value !== asked)) {
    const why =
      dimensions === "honour" ? "another field asks for another size" : "the model has no other size";
    throw new GatewayError("invalid", `'${field}' is not accepted: ${why}.`, { field });
  }
  const others = Object.entries(sorted.unknown).filter(([name]) => !meansSize(name));
  const known = { ...sorted.known, dimensions: asked };
  return { ...sorted, known, unknown: Object.fromEntries(others), sizeField: field };
}

function inputsOf(input: EmbeddingsRequest["input"]): readonly Input[] {
  if (typeof input === "string") return [input];
  const inputs: Input[] = [];
  const flat: number[] = [];
  for (const entry of input) {
    if (typeof entry === "number") flat.push(entry);
    else inputs.push(typeof entry === "string" ? entry : Uint32Array.from(entry));
  }
  // A flat array of token ids is one input.
  return flat.length > 0 ? [Uint32Array.from(flat)] : inputs;
}

/** Half of a UTF-16 pair has no UTF-8 form: the provider would get a different text. */
function refuseLoneSurrogates(request: EmbeddingsRequest): void {
  const { input, model, user } = request;
  const refuse = (field: string) => {
    throw new GatewayError(
      "invalid",
      `'${field}' contains an unpaired UTF-16 surrogate, which is not a valid character: remove it.`,
      { field },
    );
  };
  if (!model.isWellFormed()) refuse("model");
  if (typeof user === "string" && !user.isWellFormed()) refuse("user");
  if (typeof input === "string") {
    if (!input.isWellFormed()) refuse("input");
    return;
  }
  for (const [place, entry] of input.entries()) {
    if (typeof entry === "string" && !entry.isWellFormed()) refuse(`input[${place}]`);
  }
}

/** A value that is stored, printed and put into headers must be one line of visible text. */
function refuseUnseen({ model, user, metadata }: EmbeddingsRequest): void {
  refuseControls("model", model);
  refuseControls("user", user ?? "");
  if (!metadata) return;
  for (const [name, value] of Object.entries(metadata)) {
    const field = `metadata.${visible(name).slice(0, 100)}`;
    refuseControls(field, name);
    for (const text of textsWithin(value)) refuseControls(field, text);
  }
  if (JSON.stringify(metadata).length > METADATA_CHARACTERS_MAX) {
    const message = `'metadata' is too large: at most ${METADATA_CHARACTERS_MAX} characters of JSON are allowed.`;
    throw new GatewayError("invalid", message, { field: "metadata" });
  }
}

/** The size of 64 texts of 4096 characters. */
const METADATA_CHARACTERS_MAX = 300_000;

/** All texts in a value that is not too deep, including names of members. */
function* textsWithin(value: unknown): Generator<string> {
  if (typeof value === "string") yield value;
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    yield name;
    yield* textsWithin(inner);
  }
}

/** Only fields with open contents in the schema can be deep. */
function refuseDepth(field: string, value: unknown): void {
  if (!isTooDeep(value)) return;
  const name = field.slice(0, 100);
  throw new GatewayError(
    "invalid",
    `'${name}' is nested too deeply: at most ${DEPTH_MAX} levels are allowed.`,
    { field: name },
  );
}

/**
 * The answer's body: vectors in the order of the inputs, `model` as requested or by the API's own name.
 * @param objects the entries of `data` @param id the answer's id, if the policies have one
 */
export function encodeResult(
  request: EmbedRequest,
  result: Result,
  policies: Policies,
  { objects, id }: { readonly objects?: Entries; readonly id?: string } = {},
): Script {
  const { reply_models, reply_id } = policies;
  const { model, encoding } = request;
  // An id may have the name of a member of Object.prototype.
  const called = Object.hasOwn(reply_models, model) ? reply_models[model] : model;
  return {
    encoding,
    passages: [
      '{"object":"list","data":[',
      objects ?? embeddingObjects(result.vectors, result.typed),
      `],"model":${JSON.stringify(called)},${reply_id && id !== undefined ? `"id":"${id}",` : ""}"usage":${usageOf(result, policies)}}`,
    ],
  };
}

/** As JSON, for every API's answers. */
export function usageOf({ tokens, credits }: Result, { usage_credits }: Policies): string {
  const { used, remaining } = credits ?? { used: 0n, remaining: null };
  const more = usage_credits ? `,"credits_used":${used},"credits_remaining":${remaining}` : "";
  return `{"prompt_tokens":${tokens},"total_tokens":${tokens}${more}}`;
}

/** OpenAI's envelope: always all four members. */
export function encodeError(error: GatewayError, policies: Policies): string {
  const { type, code } = wordingOf(error, policies);
  return JSON.stringify({ error: { message: error.message, type, param: error.field || null, code } });
}
