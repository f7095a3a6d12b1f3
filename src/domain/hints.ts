/**
 * Fields with the same meaning at several vendors that not all of them support: the task, `title` and `truncate`. What a target does not
 * support is ignored and named in a header; the gateway implements `truncate`. A new such field is a row of HINTS.
 */

import { GatewayError } from "./errors";
import type { ModelFacts } from "./facts";
import { honoursTask } from "./prompts";
import type { EmbedRequest, Route, Target } from "./request";

/** Sent to plugins that declare it; ignoring it elsewhere does not change the vector. */
const HINTS: readonly string[] = ["title"];
const TRUNCATE = "truncate";
export const HINT_FIELDS: readonly string[] = [...HINTS, TRUNCATE];

type Hinting = Pick<EmbedRequest, "task" | "fields" | "inputs" | "unasked">;

const NOTHING: readonly string[] = [];

/** The usual case. */
function isEmpty(fields: object): boolean {
  for (const _ in fields) return false;
  return true;
}

/** The names, as the caller wrote them, of fields that the target ignores. */
export function ignoredFields(request: Hinting, target: Target): readonly string[] {
  const { task, fields, unasked } = request;
  const isIgnored = (name: string) => name in fields && !target.provider.accepts(name);
  const named = unasked ? [...HINTS, ...unasked] : HINTS;
  const names = isEmpty(fields) ? NOTHING : named.filter(isIgnored);
  return task && !task.isDefault && !honoursTask(request, target) ? [task.field, ...names] : names;
}

/** Whether a target that does not declare the field may ignore it. */
export const isHint = (name: string, { unasked }: Pick<EmbedRequest, "unasked">) =>
  HINT_FIELDS.includes(name) || unasked?.includes(name) === true;

/** The fields that the target's plugin gets. */
export function fieldsFor(request: Pick<EmbedRequest, "fields" | "unasked">, target: Target) {
  const { fields } = request;
  if (isEmpty(fields)) return fields;
  const named = Object.entries(fields);
  const isLeftOut = (name: string, value: unknown) =>
    isHint(name, request) || isSoAnyway(name, value, target);
  const own = named.filter(([name, value]) => !isLeftOut(name, value) || target.provider.accepts(name));
  return own.length === named.length ? fields : Object.fromEntries(own);
}

/** Which end of a text is cut, in the words of Cohere, NVIDIA, Amazon, Voyage and Hugging Face. */
const CUTS = new Map<unknown, "none" | "end" | "start">([
  [false, "none"],
  ["NONE", "none"],
  [true, "end"],
  ["END", "end"],
  ["RIGHT", "end"],
  ["START", "start"],
  ["LEFT", "start"],
]);

function cutAsked({ fields }: Pick<EmbedRequest, "fields">) {
  const word = fields[TRUNCATE];
  return CUTS.get(typeof word === "string" ? word.toUpperCase() : word);
}

/** Why the target cannot cut as requested; its plugin's own check comes first. */
export function refusedCut(request: EmbedRequest, { provider }: Target): GatewayError | undefined {
  if (request.fields[TRUNCATE] === undefined || provider.accepts(TRUNCATE)) return undefined;
  const cut = cutAsked(request);
  const field = TRUNCATE;
  if (cut === undefined)
    return new GatewayError("invalid", `'${field}' must be "NONE", "END", true or false.`, { field });
  if (cut !== "start") return undefined;
  const message = `A text for the model '${request.model}' can only be cut at its end: '${field}' must be "NONE" or "END".`;
  return new GatewayError("invalid", message, { field });
}

/** A request for unmodified vectors, in the vendors' words, gets them unmodified. */
const NORMALIZE: readonly string[] = ["normalize", "normalized"];

/**
 * A field that asks for what is the case anyway: unit vectors, of a model whose vectors have unit length here; each text separately, which LangChain4j
 * always requests (langchain4j-jina, JinaEmbeddingRequest).
 */
export function isSoAnyway(name: string, value: unknown, { facts }: Pick<Target, "facts">): boolean {
  if (name === "late_chunking") return value === false;
  return value === true && name === "normalized" && facts.normalized === true;
}

function keepsLength({ fields }: Pick<EmbedRequest, "fields">, { provider }: Target): boolean {
  return NORMALIZE.some((name) => fields[name] === false && provider.accepts(name) !== undefined);
}

/**
 * Whether the gateway cuts for every route of a model, including those whose vendor would: if another route needs it, and its
 * tokens can be counted. If each cut by its own rules, one text would have two vectors.
 */
export function cutsForAll({ targets, facts }: Pick<Route, "targets" | "facts">): boolean {
  const { max_input_tokens, tokenizer } = facts;
  if (max_input_tokens === undefined || tokenizer === undefined) return false;
  return targets.some(({ provider }) => !provider.accepts(TRUNCATE));
}

/**
 * The model's facts for this request: its `truncate` overrides the model's `long_input`, which overrides the API's default. A
 * plugin with `truncate` leaves counting and cutting to its vendor, who knows the model's tokens.
 * @param isCutHere the gateway cuts, whatever the plugin supports
 */
export function factsAsAsked(
  request: EmbedRequest,
  target: Target,
  known: ModelFacts,
  isCutHere: boolean,
): ModelFacts {
  const { provider } = target;
  const facts = keepsLength(request, target) ? { ...known, normalized: false } : known;
  const isSaid = request.fields[TRUNCATE] !== undefined;
  const isCustom = !isSaid && request.longInput === "truncate" && facts.long_input === "reject";
  if (!isSaid && !isCustom) return facts;
  const cut = isCustom ? "end" : cutAsked(request);
  if (cut === "none") return { ...facts, long_input: "reject" };
  if (cut === "end" && (isCutHere || !provider.accepts(TRUNCATE)))
    return { ...facts, long_input: "truncate" };
  const { max_input_tokens: _, ...uncounted } = facts;
  return isCustom ? { ...uncounted, long_input: "truncate" } : uncounted;
}
