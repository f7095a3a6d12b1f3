/**
 * Which models a workspace may use: ids and patterns of its settings. A model it may not use is to it as one that does not exist.
 */
import { matches } from "./config/models";
import { GatewayError } from "./errors";
import type { WorkspaceRules } from "./workspaces";

/** @param ids the id that was asked for, and the one behind its alias: one of them is enough */
export function mayUse({ models }: Pick<WorkspaceRules, "models">, ids: readonly string[]): boolean {
  return models.some((allowed) => ids.some((id) => allowed === id || matches(allowed, id)));
}

/** @throws GatewayError unknown_model, in the words that a model which does not exist gets */
export function permit(rules: Pick<WorkspaceRules, "models">, ids: readonly string[]): void {
  if (mayUse(rules, ids)) return;
  throw new GatewayError(
    "unknown_model",
    `The model \`${(ids[0] ?? "").slice(0, 200)}\` does not exist or you do not have access to it. GET /v1/models lists the models there are.`,
  );
}
