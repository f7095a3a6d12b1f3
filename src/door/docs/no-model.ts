/**
 * What a path is answered whose model does not exist. A new reason is a row here.
 */
import type { Policies } from "../../domain/policies";

type Reasons = readonly (readonly [status: number, description: string])[];

/** Where the body names the model, and another row says that the body is wrong. */
export const noModelInBody = (policies: Policies): Reasons => [
  [policies.unknown_model_status, "No such model."],
];

/** Where the path names it. */
export const noModelInPath = (policies: Policies): Reasons => [
  ...noModelInBody(policies),
  [policies.invalid_status, "The id holds control characters."],
];
