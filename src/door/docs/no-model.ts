/**
 * What a path that names a model in its address answers, where the name leads nowhere. A further reason is a row here.
 */
import type { Policies } from "../../domain/policies";

export const noModel = (policies: Policies): [number, string][] => [
  [policies.unknown_model_status, "No such model."],
  [policies.invalid_status, "The id holds control characters."],
];
