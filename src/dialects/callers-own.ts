/**
 * What a caller may never have sent on in `extra_body` or in forwarded fields: values that the gateway itself is responsible for, and
 * anything that looks like a credential or a URL, however it is spelt and nested.
 */
import { GatewayError } from "../domain/errors";
import { findName, type NameWithin, spelling } from "../domain/spelling";
import { WIRE_FIELDS } from "./fields";
import { changesNumbers } from "./vector-fields";

/** The API's own fields, by normalised spelling. */
const WIRE = new Map([...WIRE_FIELDS].map((name) => [spelling(name), name]));

/** The names of inputs, model and dimensions in various APIs: no nested object may contain them either. */
const DECIDING = new Set(
  [
    ...["model", "input", "inputs", "inputText", "inputImage", "text", "texts", "content", "contents"],
    ...["prompt", "messages", "instances", "requests", "dimensions", "encoding_format"],
    // How base64 must be read, at vLLM (vllm/entrypoints/pooling/base/protocol.py).
    ...["embed_dtype", "endianness"],
  ].map(spelling),
);

/** By normalised spelling. */
const CREDENTIALS_AND_ADDRESSES = [
  /^x?(token|secret|passwd|auth|host|hostname|header|proxy|proxies|cookies?)$/,
  /^(region|organization|project|apibase|apihost|apiversion|apitype)$/,
  /((api|access|secret|private|auth|session|bearer)key|accesskeyid|secretaccesskey|clientsecret)$/,
  /(access|auth|bearer|session|secret|security|refresh)token$|(^|e)adtoken$|^idtoken$/,
  /(password|credentials?|authorization|headers|ur[li]s?|endpoint)$/,
];

/** Embeds the inputs in the context of each other: the gateway must read it as the provider does, or it would divide and cache them. */
const TOGETHER = "late_chunking";

/** @param where the prefix of the fields: `extra_body.`, or nothing for the body itself */
export function refuseOwnFields(fields: object, where: string): void {
  const together = Object.entries(fields).find(([name]) => name === TOGETHER);
  if (together && typeof together[1] !== "boolean" && together[1] !== null)
    throw refused(`${where}${TOGETHER}`, "must be true or false.");
  refuse(
    fields,
    where,
    (found) =>
      isOwn(found) ||
      (found.depth === 0 && (WIRE.has(found.spelt) || (where !== "" && changesNumbers(found.name)))),
  );
}

/** For a field that a plugin declares with open contents: the path of a name that the caller may not set. */
export function ownNameWithin(field: unknown): string | undefined {
  return findName(field, isOwn)?.path.slice(0, 200);
}

function isOwn({ name, spelt, depth }: NameWithin): boolean {
  if (spelt === spelling(TOGETHER)) return name !== TOGETHER || depth > 0;
  return DECIDING.has(spelt) || CREDENTIALS_AND_ADDRESSES.some((pattern) => pattern.test(spelt));
}

function refuse(fields: object, where: string, isMeant: (found: NameWithin) => boolean): void {
  const found = findName(fields, isMeant);
  if (!found) return;
  const wire = WIRE.get(found.spelt);
  const together = found.spelt === spelling(TOGETHER) ? `extra_body.${TOGETHER}` : undefined;
  // At the top level the field is understood: supported values work, and others are refused.
  const read = found.depth === 0 && changesNumbers(found.name) ? found.name : undefined;
  const known = wire ?? together ?? read;
  const advice = known === undefined ? "leave it out" : `send '${known}' as a field of the request`;
  const path = `${where}${found.path}`.slice(0, 200);
  throw refused(path, `cannot be set by the caller: ${advice}.`);
}

const refused = (field: string, what: string) => new GatewayError("invalid", `'${field}' ${what}`, { field });
