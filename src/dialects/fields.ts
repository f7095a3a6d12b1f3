/**
 * The fields of a request by how they are handled: understood by the API, left for a plugin, or ignored.
 * Here a field is refused only by its name; its contents are checked against the schema afterwards.
 */

import { GatewayError } from "../domain/errors";
import { nearestName } from "../domain/nearest";
import { FIELDS_BY_POLICY, type Policies } from "../domain/policies";
import { asksForFloats, changesShape, changesVector } from "./vector-fields";

export interface SortedFields {
  /** To be checked against the request's schema. */
  readonly known: Readonly<Record<string, unknown>>;
  /** Fields of no API: the route's plugin may know them. */
  readonly unknown: Readonly<Record<string, unknown>>;
  /** Names of fields without effect. */
  readonly ignored: readonly string[];
}

const REQUIRED = new Set(["model", "input"]);
const BY_POLICY = new Map(FIELDS_BY_POLICY.map((field) => [String(field), field]));

/** Every field that any API of this shape knows. */
export const WIRE_FIELDS: ReadonlySet<string> = new Set([
  ...REQUIRED,
  "encoding_format",
  ...FIELDS_BY_POLICY,
]);

/**
 * `null` for an optional field means absent; a required field keeps it, so that the error says so.
 * @throws GatewayError invalid for a field that the API refuses, null or not
 */
export function sortFields(body: object, policies: Policies): SortedFields {
  const known: Record<string, unknown> = {};
  const unknown: Record<string, unknown> = {};
  const ignored: string[] = [];
  for (const [name, value] of Object.entries(body)) {
    const use = useOf(name, policies);
    if (use === "reject") throw refused(name, policies);
    if (value === null && !REQUIRED.has(name)) continue;
    if (use === "ignore" && name === "extra_body") refuseVectorFields(value);
    if (use === "ignore") ignored.push(name);
    else if (!asksForFloats(name, value)) setOwn(WIRE_FIELDS.has(name) ? known : unknown, name, value);
  }
  return { known, unknown, ignored };
}

/** Also a member that is called `__proto__`, which an assignment would lose. */
function setOwn(to: Record<string, unknown>, name: string, value: unknown): void {
  if (name !== "__proto__") to[name] = value;
  else Object.defineProperty(to, name, { value, enumerable: true, writable: true, configurable: true });
}

function useOf(name: string, policies: Policies): "honour" | "ignore" | "reject" {
  const field = BY_POLICY.get(name);
  if (field !== undefined) return policies[field];
  if (WIRE_FIELDS.has(name)) return "honour";
  const { unknown_fields } = policies;
  // The route's plugin may know it; ignoring it could return another vector than the requested one.
  if (unknown_fields === "ignore" && changesVector(name)) return "honour";
  return unknown_fields === "reject" || unknown_fields === "ignore" ? unknown_fields : "honour";
}

function refuseVectorFields(extraBody: unknown): void {
  const name = Object.keys(Object(extraBody)).find(changesShape);
  if (name === undefined) return;
  const field = `extra_body.${name}`.slice(0, 100);
  const message = `'${field}' would change the vectors, and 'extra_body' is not forwarded here: leave it out.`;
  throw new GatewayError("invalid", message, { field });
}

function refused(name: string, policies: Policies): GatewayError {
  const field = name.slice(0, 100) || '""';
  const near = nearestName(
    name,
    [...WIRE_FIELDS].filter((known) => useOf(known, policies) === "honour"),
  );
  const hint = near === undefined ? "leave it out." : `did you mean '${near}'?`;
  return new GatewayError("invalid", `The field '${field}' is not supported here: ${hint}`, { field });
}

/** The most that a header should contain: a body may have thousands. */
const NAMES_MAX = 50;

/** For a header: a name may be any text. */
export function namesInHeader(names: readonly string[]): string {
  return names
    .slice(0, NAMES_MAX)
    .map((name) => encodeURIComponent(name.slice(0, 100).toWellFormed()))
    .join(", ");
}
