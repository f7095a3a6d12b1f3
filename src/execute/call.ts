/**
 * What a call tells its provider besides its inputs. Calls of different requests with equal parameters may be sent as one (coalesce.ts), so
 * everything that a plugin sees of a request must be listed here.
 */
import { dimensionsToAsk } from "../domain/dimensions";
import { fieldsFor } from "../domain/hints";
import type { Target } from "../domain/request";
import { wordFor } from "../domain/tasks";
import type { EmbedCall } from "../plugin";
import type { Work } from "./work";

export type CallWords = Omit<EmbedCall, "inputs" | "signal">;

export function callFor({ request, plan }: Pick<Work, "request" | "plan">, target: Target): CallWords {
  const { model, facts } = target;
  return {
    model,
    dimensions: dimensionsToAsk(plan.requestedDimensions, facts),
    user: request.user,
    // The prompt already says the task.
    task: plan.prompt ? undefined : wordFor(request, target),
    fields: fieldsFor(request, target),
    extraBody: request.extraBody,
    longInput: plan.longInput,
    wireEncoding: facts.wire_encoding,
    ...(plan.types && { types: plan.types }),
  };
}
