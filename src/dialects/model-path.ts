/**
 * Which model is meant: a path may name it, the body may, both, or neither. A wire says which of them counts.
 */
import { GatewayError } from "../domain/errors";
import type { Asked } from "./wire";

/**
 * The model as `model` of a request, still to be checked where the body said it.
 * @param named what the body says; undefined or null where it says nothing
 * @param both what counts where the path and the body name two: the path, or neither
 * @throws GatewayError invalid where they differ and must not, or where there is none
 */
export function modelAsked(
  named: unknown,
  { params, defaultModel }: Pick<Asked, "params" | "defaultModel">,
  both: "path wins" | "must agree",
): unknown {
  const inPath = params.model;
  const inBody = named ?? undefined;
  if (inPath === undefined) {
    const model = inBody ?? defaultModel;
    if (model !== undefined) return model;
    throw new GatewayError("invalid", "'model' is missing, and the gateway has no default_model.", {
      field: "model",
    });
  }
  if (both === "must agree" && inBody !== undefined && inBody !== inPath) {
    throw new GatewayError(
      "invalid",
      `'model' names another model than the path, which names '${inPath.slice(0, 200)}': send the same in both.`,
      { field: "model" },
    );
  }
  return inPath;
}
