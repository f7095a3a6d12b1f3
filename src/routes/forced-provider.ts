/**
 * A request that forces one provider of the routing file by a header: only that one is called, without fallback.
 * The dialect's policies name the header (src/domain/policies.ts).
 */

import { GatewayError } from "../domain/errors";
import type { Policies } from "../domain/policies";
import type { Route } from "../domain/request";
import type { Routes } from "./route";

export interface ForcedProvider {
  readonly name: string;
  /** The header that named it. */
  readonly header: string;
}

const OWN_HEADER = "X-Embedgate-Provider";

export function forcedProviderOf(
  headers: Headers,
  { provider_header }: Pick<Policies, "provider_header">,
): ForcedProvider | undefined {
  for (const header of provider_header === null ? [OWN_HEADER] : [provider_header, OWN_HEADER]) {
    const name = headers.get(header)?.trim();
    if (name) return { name, header };
  }
  return undefined;
}

/**
 * @param models ids and patterns that the caller may use
 * @throws GatewayError forbidden if the caller may force none; unknown_provider for a name that the routing file does not have, or that
 * serves none of the caller's models, unless names are hidden
 */
export function refuseForced(
  forced: ForcedProvider | undefined,
  routes: Pick<Routes, "knowsProvider">,
  models: readonly string[],
  { force_provider, provider_names }: Pick<Policies, "force_provider" | "provider_names">,
): void {
  if (forced === undefined) return;
  if (force_provider === "admins") {
    const message = `Your workspace may not choose a provider: leave out the header ${forced.header}. The gateway's operator can allow it (policy force_provider).`;
    throw new GatewayError("forbidden", message, { field: forced.header });
  }
  // If names are hidden, they must not be guessable: `boundTo` answers the same whether the name exists or not.
  if (provider_names === "hide" || routes.knowsProvider(forced.name, models)) return;
  const name = forced.name.slice(0, 100);
  throw new GatewayError(
    "unknown_provider",
    `The provider '${name}' in the header ${forced.header} does not exist: leave the header out, or name another provider.`,
    {
      field: forced.header,
    },
  );
}

/**
 * The route with only that provider.
 * @throws GatewayError provider_without_model
 */
export function boundTo(forced: ForcedProvider | undefined, route: Route): Route {
  if (forced === undefined) return route;
  const [first, ...others] = route.targets
    .filter(({ provider }) => provider.name === forced.name)
    .map((target) => ({ ...target, mayServe: () => target.mayServe(true) }));
  if (first) return { ...route, targets: [first, ...others] };
  throw new GatewayError(
    "provider_without_model",
    `The provider '${forced.name.slice(0, 100)}' in the header ${forced.header} does not serve the model '${route.id}': leave the header out, or ask for another model.`,
    { field: forced.header },
  );
}
