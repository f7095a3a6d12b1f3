/**
 * Step 2: may this request be done at all? Refused here, before any work and any cost.
 * Rate limits and credits are further checks of this step.
 */
import { nearestName } from "./config/nearest";
import type { EmbedRequest, Route } from "./domain";
import { GatewayError } from "./errors";
import type { DimensionsAllowed } from "./facts";

/** @throws GatewayError invalid | unsupported_dimensions, naming the field */
export function admit(request: EmbedRequest, route: Route): void {
  checkFields(request, route);
  checkDimensions(request.dimensions, route);
}

/** A field that nobody would read is refused: the caller believes that it has an effect. */
function checkFields(request: EmbedRequest, route: Route): void {
  const { provider } = route.target;
  for (const [name, value] of Object.entries(request.fields)) {
    const check = provider.accepts(name);
    const field = name.slice(0, 100);
    if (!check) {
      const near = nearestName(name, [...OPENAI_FIELDS, ...provider.fieldNames]);
      const hint = near === undefined ? "leave it out" : `did you mean '${near}'?`;
      throw new GatewayError(
        "invalid",
        `Unrecognized field '${field}' for the model '${request.model}': ${hint}`,
        { field },
      );
    }
    const expected = check(value);
    if (expected !== null) throw new GatewayError("invalid", `'${field}' must be ${expected}.`, { field });
  }
}

const OPENAI_FIELDS = ["model", "input", "encoding_format", "dimensions", "user", "metadata", "extra_body"];

function checkDimensions(asked: number | undefined, route: Route): void {
  const { dimensions: own, dimensions_allowed: allowed, dimensions_policy: policy } = route.facts;
  if (asked === undefined || asked === own) return;
  if (allowed !== undefined && isAllowed(asked, allowed)) return;
  if (policy === "truncate" && own !== undefined && asked < own) return;
  throw new GatewayError(
    "unsupported_dimensions",
    `The model '${route.id}' does not make embeddings of ${asked} dimensions: ${allowedInWords(route)}.`,
    { field: "dimensions" },
  );
}

export function isAllowed(size: number, allowed: DimensionsAllowed): boolean {
  return Array.isArray(allowed) ? allowed.includes(size) : size >= allowed.min && size <= allowed.max;
}

function allowedInWords(route: Route): string {
  const { dimensions: own, dimensions_allowed: allowed, dimensions_policy: policy } = route.facts;
  if (policy === "truncate" && own !== undefined) return `from 1 to ${own} are allowed`;
  if (allowed === undefined) {
    return own === undefined ? "leave 'dimensions' out" : `${own} is the only size it has`;
  }
  return Array.isArray(allowed)
    ? `${allowed.join(", ")} are allowed`
    : `from ${allowed.min} to ${allowed.max} are allowed`;
}
