/**
 * The answer of a path whose model does not exist. A new reason is a row here.
 */
import type { Policies } from "../../domain/policies";

type Reasons = readonly (readonly [status: number, description: string])[];

/** If the body names the model, and another row describes invalid bodies. */
export const noModelInBody = (policies: Policies): Reasons => [
  [policies.unknown_model_status, "No such model."],
];

/** If the path names it. */
export const noModelInPath = (policies: Policies): Reasons => [
  ...noModelInBody(policies),
  [policies.invalid_status, "The id holds control characters."],
];
