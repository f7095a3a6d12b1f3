/**
 * A missing price is not the price 0: a model without a price is refused to workspaces that pay, because nothing could be charged for it.
 * src/callers/workspaces.ts says which workspaces pay.
 */
import type { WorkspaceRules } from "../callers/workspaces";
import { GatewayError } from "../domain/errors";
import type { Outside } from "../domain/outside";
import type { Route } from "../domain/request";

export interface Unpriced {
  /** @throws GatewayError price_unknown */
  refuse(route: Pick<Route, "id" | "facts">, rules: Pick<WorkspaceRules, "name" | "pays">): void;
}

/** Under a pattern callers choose the model ids, so only this many are logged. */
const TOLD_MAX = 1_000;

/** @param mayBeFree whether the routing file allows using them without a charge (`money.unpriced: allow`) */
export function createUnpriced(mayBeFree: () => boolean, { log }: Pick<Outside, "log">): Unpriced {
  const told = new Set<string>();
  return {
    refuse({ id, facts }, { name, pays }) {
      if (facts.price !== undefined || !pays || mayBeFree()) return;
      const what =
        "set price of the model in the routing file (0 where it costs nothing), or money.unpriced: allow";
      if (!told.has(id) && told.size < TOLD_MAX) {
        told.add(id);
        log("warn", "a model without a price is refused to workspaces that have credits or a spending cap", {
          model: id,
          workspace: name,
          remedy: what,
        });
      }
      throw new GatewayError(
        "price_unknown",
        `The model '${id.slice(0, 200)}' has no price, so it cannot be charged to the workspace's credits or spending cap. The gateway's operator can ${what}.`,
        { field: "model" },
      );
    },
  };
}
