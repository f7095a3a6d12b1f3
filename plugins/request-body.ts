/**
 * What is looked at before a call's body is written, for vendors who take texts only and name sizes and tasks in their own way.
 * Which names those are is each plugin's to say.
 */
import type { EmbedCall, Host } from "../src/plugin";

export function textsOf(host: Pick<Host, "failure">, { inputs }: Pick<EmbedCall, "inputs">): string[] {
  return inputs.map((input) => {
    if (typeof input === "string") return input;
    throw host.failure("invalid", "This provider takes texts, not token ids.");
  });
}

/**
 * Refuses in `extra_body` what a field of the request says: the gateway counts, caches and proves by those.
 * @param own the vendor's names, each with the request's field for it
 */
export function refuseOwn(
  host: Pick<Host, "failure">,
  { extraBody }: Pick<EmbedCall, "extraBody">,
  own: Readonly<Record<string, string>>,
): void {
  for (const [name, instead] of Object.entries(own)) {
    if (!Object.hasOwn(extraBody, name)) continue;
    const field = `extra_body.${name}`;
    const message = `'${field}' is not taken: send '${instead}' as a field of the request.`;
    throw host.failure("invalid", message, { field });
  }
}
