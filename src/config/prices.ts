/**
 * Models without a known price, if workspaces pay: they are refused, and `check` says so before a request does.
 * src/routes/route.ts has the sources of prices; a further source is a line of `isPriced`.
 */
import { catalogueFacts } from "./catalogue";
import type { Entry, Look } from "./model-facts";

/** @param document the routing file's sections */
export function noteUnpriced(
  entries: readonly Entry[],
  { money, workspace_defaults: defaults }: Readonly<Record<string, unknown>>,
  look: Look,
): void {
  if (!isPaid(money, defaults)) return;
  for (const entry of entries) {
    if (entry.model.routes === undefined || isPriced(entry, look)) continue;
    const what = entry.id.includes("*")
      ? "ids that the catalogue has no price for are refused"
      : "has no price, and the catalogue has none: it is refused";
    const message = `${what} to workspaces that have credits or a spending cap (price_unknown); set price (USD per million tokens, 0 where it costs nothing), or money.unpriced: allow`;
    look.notes.push(look.tree.problem(entry.pointer, message, "key"));
  }
}

/** Whether the file itself says that workspaces pay. Those in the database may anyway: the log says so then. */
function isPaid(money: unknown, defaults: unknown): boolean {
  const { unpriced }: { readonly unpriced?: unknown } = Object(money);
  if (unpriced === "allow") return false;
  const own: Readonly<Record<string, unknown>> = Object(defaults);
  const hasCap = own.cap_usd_per_day !== undefined || own.cap_usd_per_month !== undefined;
  return money !== undefined || typeof own.credits === "number" || hasCap;
}

function isPriced({ id, model }: Entry, { providers }: Look): boolean {
  const [route] = model.routes ?? [];
  if (model.price !== undefined || route === undefined) return true;
  const plugin = providers.pluginIds.get(route.provider);
  // A provider that is not configured does not serve; a built-in one states its own price.
  if (plugin === undefined || providers.configured.get(route.provider)?.provider.isBuiltIn) return true;
  return !id.includes("*") && catalogueFacts(plugin, route.model ?? id)?.price !== undefined;
}
