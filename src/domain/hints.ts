/**
 * Fields that vendors mean alike, but not all of them take: what a request's embeddings are for, `title` and `truncate`. What a target has
 * no use for is left out and told; `truncate` is done by the gateway. A new such field is a row of HINTS.
 */

import { GatewayError } from "./errors";
import type { ModelFacts } from "./facts";
import { honoursTask } from "./prompts";
import type { EmbedRequest, Route, Target } from "./request";

/** Sent to plugins that declare it; dropping it elsewhere does not change the vector. */
const HINTS: readonly string[] = ["title"];
const TRUNCATE = "truncate";
export const HINT_FIELDS: readonly string[] = [...HINTS, TRUNCATE];

type Hinting = Pick<EmbedRequest, "task" | "fields" | "inputs" | "unasked">;

/** The names, as the caller wrote them, of what the target has no use for. */
export function ignoredFields(request: Hinting, target: Target): readonly string[] {
  const hints = [...HINTS, ...(request.unasked ?? [])];
  const names = hints.filter((name) => name in request.fields && !target.provider.accepts(name));
  const { task } = request;
  return task && !task.isDefault && !honoursTask(request, target) ? [task.field, ...names] : names;
}

/** Whether a target that does not declare the field does without it. */
export const isHint = (name: string, { unasked }: Pick<EmbedRequest, "unasked">) =>
  HINT_FIELDS.includes(name) || unasked?.includes(name) === true;

/** The fields that the target's plugin is handed. */
export function fieldsFor(request: Pick<EmbedRequest, "fields" | "unasked">, target: Target) {
  const { fields } = request;
  const named = Object.entries(fields);
  const isLeftOut = (name: string, value: unknown) =>
    isHint(name, request) || isSoAnyway(name, value, target);
  const own = named.filter(([name, value]) => !isLeftOut(name, value) || target.provider.accepts(name));
  return own.length === named.length ? fields : Object.fromEntries(own);
}

/** The end that a text is cut at, by the words of Cohere, NVIDIA, Amazon, Voyage and Hugging Face. */
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

/** Why the target cannot cut as the request asks; its plugin's own check comes before. */
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

/** A request for vectors as the model made them gets them so: the vendors' words for that. */
const NORMALIZE: readonly string[] = ["normalize", "normalized"];

/**
 * A field that asks for what is so anyway: vectors of unit length, of a model whose vectors leave here so; each text by itself, which LangChain4j
 * always says (langchain4j-jina, JinaEmbeddingRequest).
 */
export function isSoAnyway(name: string, value: unknown, { facts }: Pick<Target, "facts">): boolean {
  if (name === "late_chunking") return value === false;
  return value === true && name === "normalized" && facts.normalized === true;
}

function keepsLength({ fields }: Pick<EmbedRequest, "fields">, { provider }: Target): boolean {
  return NORMALIZE.some((name) => fields[name] === false && provider.accepts(name) !== undefined);
}

/**
 * Whether the gateway cuts for every way to a model, also for those whose vendor would: where another of its ways needs it done, and its
 * tokens can be counted. Each cut by its own, one text would have two vectors.
 */
export function cutsForAll({ targets, facts }: Pick<Route, "targets" | "facts">): boolean {
  const { max_input_tokens, tokenizer } = facts;
  if (max_input_tokens === undefined || tokenizer === undefined) return false;
  return targets.some(({ provider }) => !provider.accepts(TRUNCATE));
}

/**
 * The facts of a model as this request has them: its `truncate` stands above the model's `long_input`, and its wire's custom below. A
 * plugin that takes `truncate` leaves the counting and the cutting to its vendor, who knows the model's tokens.
 * @param isCutHere the gateway cuts, whatever the plugin takes
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
