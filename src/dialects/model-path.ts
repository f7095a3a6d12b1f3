/**
 * Which model is meant: the path may name it, or the body, or both, or neither. Each API says which of them counts.
 */
import { GatewayError } from "../domain/errors";
import type { Asked } from "./wire";

/**
 * The model as `model` of a request, still to be checked if it came from the body.
 * @param named the body's value; undefined or null if there is none
 * @param both what counts if path and body name two: the path, or neither
 * @throws GatewayError invalid if they differ and must not, or if there is none
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
