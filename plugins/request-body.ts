/**
 * What is looked at before a call's body is written, for vendors who take texts only and name sizes and tasks in their own way.
 * Which names those are is in each plugin.
 */
import type { EmbedCall, Host } from "../src/plugin";

export function textsOf(host: Pick<Host, "failure">, { inputs }: Pick<EmbedCall, "inputs">): string[] {
  return inputs.map((input) => {
    if (typeof input === "string") return input;
    throw host.failure("invalid", "This provider takes texts, not token ids.");
  });
}

/**
 * Refuses in `extra_body` what a field of the request says, in whatever case and at whatever depth: the gateway counts, caches and proves
 * by those.
 * @param own the vendor's names, each with the request's field for it, where there is one
 * @param set the plugin's own body, whose names replace the caller's of exactly the same name
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

/** Vendors read `taskType`, `task_type` and some `TaskType` as one. */
const spelt = (name: string) =>
  name
    .normalize("NFKC")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]/gu, "");
