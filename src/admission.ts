/**
 * Step 2: may this request be done at all, and by which of the route's targets? Refused here, before any work and any cost.
 * Rate limits and credits are further checks of this step.
 */
import { nearestName } from "./config/nearest";
import { canMake, sizesInWords } from "./dimensions";
import type { EmbedRequest, Route, Target } from "./domain";
import { GatewayError } from "./errors";

/**
 * @returns the route with those of its targets that can do what is asked: a target that would leave a field out is none
 * @throws GatewayError invalid | unsupported_dimensions, naming the field, as the first target has it
 */
export function admit(request: EmbedRequest, route: Route): Route {
  const refusals = route.targets.map((target) => ({ target, error: refusal(request, route, target) }));
  const [first, ...others] = refusals.filter(({ error }) => error === undefined).map(({ target }) => target);
  if (first) return { ...route, targets: [first, ...others] };
  throw refusals[0]?.error;
}

function refusal(request: EmbedRequest, route: Route, target: Target): GatewayError | undefined {
  return (
    refusedField(request, target) ??
    refusedDimensions(request.dimensions, route, target) ??
    refusedDivision(request, target)
  );
}

/** A field that nobody would read is refused: the caller believes that it has an effect. */
function refusedField(request: EmbedRequest, { provider }: Target): GatewayError | undefined {
  for (const [name, value] of Object.entries(request.fields)) {
    const check = provider.accepts(name);
    const field = name.slice(0, 100);
    if (!check) {
      const near = nearestName(name, [...OPENAI_FIELDS, ...provider.fieldNames]);
      const hint = near === undefined ? "leave it out" : `did you mean '${near}'?`;
      const message = `Unrecognized field '${field}' for the model '${request.model}': ${hint}`;
      return new GatewayError("invalid", message, { field });
    }
    const expected = check(value);
    if (expected !== null) return new GatewayError("invalid", `'${field}' must be ${expected}.`, { field });
  }
  return undefined;
}

const OPENAI_FIELDS = ["model", "input", "encoding_format", "dimensions", "user", "metadata", "extra_body"];

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

/** Inputs that are embedded in view of one another cannot be divided among calls. */
function refusedDivision(request: EmbedRequest, { provider, facts }: Target): GatewayError | undefined {
  if (request.inputs.length <= facts.max_inputs || !provider.isIndivisible(request)) return undefined;
  return new GatewayError(
    "invalid",
    `'input' has ${request.inputs.length} entries that must be embedded together, but a call takes at most ${facts.max_inputs}.`,
    { field: "input" },
  );
}
