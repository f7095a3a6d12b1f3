/**
 * Checks before a call's body is built, for vendors that take texts only and have their own names for dimensions and tasks.
 * Each plugin gives its vendor's names.
 */
import type { EmbedCall, Host } from "../src/plugin";

export function textsOf(host: Pick<Host, "failure">, { inputs }: Pick<EmbedCall, "inputs">): string[] {
  return inputs.map((input) => {
    if (typeof input === "string") return input;
    throw host.failure("invalid", "This provider takes texts, not token ids.");
  });
}

/**
 * Refuses a field in `extra_body` that the request has a field for, in any case and at any depth: the gateway counts, caches and verifies
 * by the request's fields.
 * @param own the vendor's names, each with the request's own field, where there is one
 * @param set the plugin's own body, whose fields replace the caller's of exactly the same name
 */
export function refuseOwn(
  host: Pick<Host, "failure">,
  { extraBody }: Pick<EmbedCall, "extraBody">,
  own: Readonly<Record<string, string | undefined>>,
  set: object = {},
): void {
  const fields = new Map(Object.entries(own).map(([name, instead]) => [spelt(name), instead]));
  const further = Object.entries(extraBody).filter(([name]) => !Object.hasOwn(set, name));
  refuseWithin(host, Object.fromEntries(further), fields, "extra_body");
}

function refuseWithin(
  host: Pick<Host, "failure">,
  value: unknown,
  fields: ReadonlyMap<string, string | undefined>,
  path: string,
): void {
  if (typeof value !== "object" || value === null) return;
  for (const [name, within] of Object.entries(value)) {
    const field = Array.isArray(value) ? `${path}[${name}]` : `${path}.${name}`;
    const known = spelt(name);
    if (!Array.isArray(value) && fields.has(known)) {
      const instead = fields.get(known);
      const advice = instead === undefined ? "leave it out" : `send '${instead}' as a field of the request`;
      throw host.failure("invalid", `'${field.slice(0, 200)}' is not accepted: ${advice}.`, {
        field: field.slice(0, 200),
      });
    }
    refuseWithin(host, within, fields, field);
  }
}

/** Vendors treat `taskType`, `task_type` and some `TaskType` as the same. */
const spelt = (name: string) =>
  name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
