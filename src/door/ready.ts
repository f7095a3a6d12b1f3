/**
 * The body of GET /readyz: how much can be served now. It calls no provider and names none, as it needs no key.
 * A new member is also one of its schema in src/door/docs/operations.ts.
 */
import type { Batches } from "../batches/batches";
import type { Routes } from "../routes/route";

/** @param batches undefined if batches are not configured */
export function readiness(
  routes: Pick<Routes, "list" | "named">,
  batches: Pick<Batches, "isFolderRight"> | undefined,
) {
  const targets = routes.named().flatMap((route) => route.targets);
  const available = targets.filter(
    ({ provider, model, mayServe }) => mayServe() && provider.healthOf(model).breaker.isClosed(),
  );
  return {
    status: "ready",
    models: routes.list().filter(({ embeddings }) => embeddings).length,
    routes: targets.length,
    routes_available: available.length,
    batches: batches === undefined ? "off" : batches.isFolderRight() ? "ready" : "folder not mounted",
    message:
      "The routing file is loaded and the database answers. Providers are not called: routes_available counts the routes that may serve and whose circuit breaker is closed.",
  };
}
