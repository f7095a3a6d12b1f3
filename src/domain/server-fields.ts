/**
 * Fields that change a provider's server for everybody (how long a model stays loaded, who is served first): callers may not send them unless
 * the routing file allows it. The plugin's `serverFields` lists them; the provider's `allow_fields` allows some.
 */

import { GatewayError } from "./errors";
import type { EmbedRequest, Target } from "./request";
import { findName, spelling } from "./spelling";

export function refusedServerField(
  { extraBody, fields }: Pick<EmbedRequest, "extraBody" | "fields">,
  { provider }: Target,
): GatewayError | undefined {
  if (provider.guardedFields.length === 0) return undefined;
  const guarded = spellingsOf(provider.guardedFields);
  for (const [where, given] of [
    ["extra_body.", extraBody],
    ["", fields],
  ] as const) {
    const found = findName(given, ({ spelt }) => guarded.has(spelt));
    if (!found) continue;
    const field = `${where}${found.path}`.slice(0, 200);
    const message = `'${field}' would change the provider's server for everybody: the gateway's operator can allow it (allow_fields in the routing file).`;
    return new GatewayError("invalid", message, { field });
  }
  return undefined;
}

/** Freed with the provider. */
const known = new WeakMap<readonly string[], ReadonlySet<string>>();

function spellingsOf(names: readonly string[]): ReadonlySet<string> {
  return known.getOrInsertComputed(names, () => new Set(names.map(spelling)));
}
