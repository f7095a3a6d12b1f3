/**
 * Step 2: decides whether this request may be served, and by which of the route's targets. Refusals happen here, before any work or cost.
 * Rate limits and credits are further checks of this step.
 */

import { canMake, dimensionsToAsk, sizesInWords } from "../domain/dimensions";
import { GatewayError } from "../domain/errors";
import {
  cutsForAll,
  factsAsAsked,
  HINT_FIELDS,
  ignoredFields,
  isHint,
  isSoAnyway,
  refusedCut,
} from "../domain/hints";
import { nearestName } from "../domain/nearest";
import type { EmbedRequest, Route, Target } from "../domain/request";
import { refusedServerField } from "../domain/server-fields";
import { TASK_FIELDS } from "../domain/task-words";
import { refusedTask } from "../domain/tasks";

/**
 * @param hintsMustCount refuse hints that no target uses (a task, a title), instead of ignoring them and saying so in a header
 * @returns the route with only the targets that support the request. A target that would ignore a field is left out, unless all would
 * @throws GatewayError invalid | unsupported_dimensions, naming the field, as the first target says it
 */
export function admit(request: EmbedRequest, route: Route, hintsMustCount: boolean): Route {
  const isCutHere = cutsForAll(route);
  // The usual case: nothing to choose between.
  if (route.targets.length === 1) return admitTo(route.targets[0], request, route, hintsMustCount, isCutHere);
  const judged = route.targets.map((target) => ({
    target: { ...target, facts: factsAsAsked(request, target, target.facts, isCutHere) },
    ignored: ignoredFields(request, target).join(),
    error: refusal(request, route, target, hintsMustCount),
  }));
  const able = judged.filter(({ error }) => error === undefined);
  const best = able.find(({ ignored }) => ignored === "") ?? able[0];
  if (!best) throw judged[0]?.error;
  const facts = factsAsAsked(request, best.target, route.facts, isCutHere);
  const alike = able.filter(
    ({ target, ignored }) => ignored === best.ignored && target.facts.long_input === facts.long_input,
  );
  const others = alike.filter((one) => one !== best).map(({ target }) => target);
  return { ...route, facts, targets: [best.target, ...others] };
}

function admitTo(
  target: Target,
  request: EmbedRequest,
  route: Route,
  hintsMustCount: boolean,
  isCutHere: boolean,
): Route {
  const error = refusal(request, route, target, hintsMustCount);
  if (error) throw error;
  const own = factsAsAsked(request, target, target.facts, isCutHere);
  const facts = factsAsAsked(request, target, route.facts, isCutHere);
  if (own === target.facts && facts === route.facts) return route;
  return { ...route, facts, targets: [{ ...target, facts: own }] };
}

function refusal(
  request: EmbedRequest,
  route: Route,
  target: Target,
  hintsMustCount: boolean,
): GatewayError | undefined {
  return (
    refusedField(request, target) ??
    refusedServerField(request, target) ??
    refusedTask(request, target) ??
    refusedCut(request, target) ??
    (hintsMustCount ? refusedHint(request, target) : undefined) ??
    refusedDimensions(request.dimensions, route, target) ??
    refusedTypes(request, route, target) ??
    refusedDivision(request, target)
  );
}

/** A field that would have no effect is refused, because the caller expects one. */
function refusedField(request: EmbedRequest, target: Target): GatewayError | undefined {
  const { provider } = target;
  for (const [name, value] of Object.entries(request.fields)) {
    const check = provider.accepts(name);
    const field = name.slice(0, 100);
    if (!check) {
      if (isHint(name, request) || isSoAnyway(name, value, target)) continue;
      const known = [...OPENAI_FIELDS, ...TASK_FIELDS, ...HINT_FIELDS, ...provider.fieldNames];
      const near = nearestName(name, known);
      const hint = near === undefined ? "leave it out." : `did you mean '${near}'?`;
      const message = `Unrecognized field '${field}' for the model '${request.model}': ${hint}`;
      return new GatewayError("invalid", message, { field });
    }
    const expected = check(value);
    if (expected !== null) return new GatewayError("invalid", `'${field}' must be ${expected}.`, { field });
  }
  return undefined;
}

const OPENAI_FIELDS = ["model", "input", "encoding_format", "dimensions", "user", "metadata", "extra_body"];

function refusedHint(request: EmbedRequest, target: Target): GatewayError | undefined {
  const [field] = ignoredFields(request, target);
  if (field === undefined) return undefined;
  const message = `'${field}' has no effect on the model '${request.model}': leave it out.`;
  return new GatewayError("invalid", message, { field });
}

function refusedDimensions(
  asked: number | undefined,
  route: Route,
  { facts }: Target,
): GatewayError | undefined {
  if (canMake(asked, facts)) return undefined;
  return new GatewayError(
    "unsupported_dimensions",
    `The model '${route.id}' does not make embeddings of ${asked} dimensions: ${sizesInWords(facts)}.`,
    { field: "dimensions" },
  );
}

/** Only the vendor can return a vector in another type, so the vendor must also return it in the requested dimensions. */
function refusedTypes(
  { types = [], dimensions }: EmbedRequest,
  { id }: Route,
  { facts }: Target,
): GatewayError | undefined {
  const known = facts.embedding_types ?? [];
  const unknown = types.find((type) => !known.includes(type));
  const field = "embedding_types";
  if (unknown !== undefined) {
    const message = `The model '${id}' has no embeddings of the type ${unknown}. Supported: ${["float", ...known].join(", ")}.`;
    return new GatewayError("invalid", message, { field });
  }
  const own = dimensions === undefined || dimensions === facts.dimensions;
  if (types.length === 0 || own || dimensionsToAsk(dimensions, facts) !== undefined) return undefined;
  const message = `The model '${id}' does not make ${dimensions} dimensions itself, and only float embeddings can be truncated: leave out '${field}' or 'dimensions'.`;
  return new GatewayError("invalid", message, { field });
}

/** Inputs that are embedded in the context of each other cannot be divided among calls. */
function refusedDivision(request: EmbedRequest, { provider, facts }: Target): GatewayError | undefined {
  if (request.inputs.length <= facts.max_inputs || !provider.isIndivisible(request)) return undefined;
  return new GatewayError(
    "invalid",
    `'input' has ${request.inputs.length} entries that must be embedded together, but a call takes at most ${facts.max_inputs}.`,
    { field: "input" },
  );
}
