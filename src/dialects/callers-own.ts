/**
 * What a caller may never have sent on in `extra_body`, or in fields that are sent on as they are: what the gateway itself answers for, and
 * anything that looks like a credential or an address. However it is spelt, and however deep it stands.
 */
import { GatewayError } from "../domain/errors";
import { findName, type NameWithin, spelling } from "../domain/spelling";
import { WIRE_FIELDS } from "./fields";
import { changesNumbers } from "./vector-fields";

/** The wire's own fields by their spelling. */
const WIRE = new Map([...WIRE_FIELDS].map((name) => [spelling(name), name]));

/** What is embedded, by what and to which size, as one wire or another calls it: no object within may say it either. */
const DECIDING = new Set(
  [
    ...["model", "input", "inputs", "inputText", "inputImage", "text", "texts", "content", "contents"],
    ...["prompt", "messages", "instances", "requests", "dimensions", "encoding_format"],
    // How base64 is to be read, at vLLM (vllm/entrypoints/pooling/base/protocol.py).
    ...["embed_dtype", "endianness"],
  ].map(spelling),
);

/** By their spelling. */
const CREDENTIALS_AND_ADDRESSES = [
  /^x?(token|secret|passwd|auth|host|hostname|header|proxy|proxies|cookies?)$/,
  /^(region|organization|project|apibase|apihost|apiversion|apitype)$/,
  /((api|access|secret|private|auth|session|bearer)key|accesskeyid|secretaccesskey|clientsecret)$/,
  /(access|auth|bearer|session|secret|security|refresh)token$|(^|e)adtoken$|^idtoken$/,
  /(password|credentials?|authorization|headers|ur[li]s?|endpoint)$/,
];

/** Asks that inputs be embedded in view of one another: the gateway must read it as the provider does, or it would divide and keep them. */
const TOGETHER = "late_chunking";

/** @param where the fields stand: `extra_body.`, or nothing for the body itself */
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

/** What is in a field that a plugin declares and leaves open: the path of a name that is not the caller's to set. */
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
  // As a field it is read: what the model has is honoured, and what it has not is refused.
  const read = found.depth === 0 && changesNumbers(found.name) ? found.name : undefined;
  const known = wire ?? together ?? read;
  const advice = known === undefined ? "leave it out" : `send '${known}' as a field of the request`;
  const path = `${where}${found.path}`.slice(0, 200);
  throw refused(path, `cannot be set by the caller: ${advice}.`);
}

const refused = (field: string, what: string) => new GatewayError("invalid", `'${field}' ${what}`, { field });
