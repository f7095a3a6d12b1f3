/**
 * The OpenAI dialect: its body → EmbedRequest, Result → its body, any error → its envelope.
 * A field it does not know is no error here: the route's plugin may declare it (src/admission.ts asks).
 */
import { TypeCompiler } from "@sinclair/typebox/compiler";
import type { EmbedRequest, Result } from "../domain";
import { GatewayError } from "../errors";
import type { Input } from "../plugin";
import { DEPTH_MAX, isTooDeep } from "./depth";
import { explainBreach } from "./explain";
import { EmbeddingsRequest } from "./openai-schema";
import { writeEmbeddings } from "./vectors";

const checkRequest = TypeCompiler.Compile(EmbeddingsRequest);
const KNOWN = new Set(Object.keys(EmbeddingsRequest.properties));

/**
 * A parsed JSON body as a request.
 * @throws GatewayError invalid, naming the field
 */
export function decodeRequest(body: unknown): EmbedRequest {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    throw new GatewayError("invalid", "The body must be a JSON object with 'model' and 'input'.");
  }
  const present = withoutNulls(body);
  if (present.stream === true) {
    throw new GatewayError("invalid", "Embeddings are not streamed: leave 'stream' out.", {
      field: "stream",
    });
  }
  if (!checkRequest.Check(present)) {
    const { field, message } = explainBreach(checkRequest, present);
    throw new GatewayError("invalid", message, { field });
  }
  refuseLoneSurrogates(present);
  refuseDepth(present);
  const extraBody = present.extra_body ?? {};
  refuseOwnFields(extraBody);
  return {
    model: present.model,
    inputs: inputsOf(present.input),
    encoding: present.encoding_format ?? "float",
    dimensions: present.dimensions ?? undefined,
    user: present.user ?? undefined,
    metadata: present.metadata ?? undefined,
    extraBody,
    fields: Object.fromEntries(Object.entries(present).filter(([name]) => !KNOWN.has(name))),
  };
}

/** `null` for an optional field means absent; for a required one it is told as what it is. */
function withoutNulls(body: object): Record<string, unknown> {
  const required = new Set<string>(EmbeddingsRequest.required);
  return Object.fromEntries(
    Object.entries(body).filter(([name, value]) => value !== null || required.has(name)),
  );
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

/** Half of a UTF-16 pair has no UTF-8 form: it would reach the provider as another text. */
function refuseLoneSurrogates(request: EmbeddingsRequest): void {
  const { input, model, user } = request;
  const refuse = (field: string) => {
    throw new GatewayError(
      "invalid",
      `'${field}' holds half of a UTF-16 surrogate pair, which is not a character.`,
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

/** Only the fields whose inside the schema leaves open can be deep. */
function refuseDepth(request: EmbeddingsRequest): void {
  for (const [field, value] of Object.entries(request)) {
    if ((KNOWN.has(field) && field !== "extra_body") || !isTooDeep(value)) continue;
    const name = field.slice(0, 100);
    throw new GatewayError("invalid", `'${name}' is nested too deeply: ${DEPTH_MAX} levels are allowed.`, {
      field: name,
    });
  }
}

/** What `extra_body` may never say: fields the gateway itself answers for, and anything that smells of a credential or an address. */
const OWN_FIELDS = new Set([...KNOWN, "stream", "texts", "inputs", "content", "contents", "requests"]);
const CREDENTIAL_OR_ADDRESS =
  /^(x-)?(api[-_]?(key|base|version|type)|authorization|auth|(access|auth|bearer|session|secret)[-_]?(token|key)|token|password|secret|credentials?|(base[-_]?|api[-_]?)?url|endpoint|host|headers?|proxy|region|organization|project)$/i;

function refuseOwnFields(extraBody: object): void {
  for (const name of Object.keys(extraBody)) {
    if (!OWN_FIELDS.has(name) && !CREDENTIAL_OR_ADDRESS.test(name)) continue;
    const advice = KNOWN.has(name) ? `send '${name}' as a field of the request` : "leave it out";
    throw new GatewayError("invalid", `'extra_body.${name}' is not the caller's to set: ${advice}.`, {
      field: `extra_body.${name}`,
    });
  }
}

/** A result as OpenAI's answer body: vectors in the order of the inputs, `model` as it was asked for. */
export function encodeResult(request: EmbedRequest, result: Result): string {
  const usage = `"usage":{"prompt_tokens":${result.tokens},"total_tokens":${result.tokens}}`;
  const data = writeEmbeddings(result.vectors, request.encoding);
  return `{"object":"list","data":[${data}],"model":${JSON.stringify(request.model)},${usage}}`;
}

/** OpenAI's envelope: all four keys, always. */
export function encodeError(error: GatewayError): string {
  const { type, code } = error.meaning;
  return JSON.stringify({ error: { message: error.message, type, param: error.field || null, code } });
}
