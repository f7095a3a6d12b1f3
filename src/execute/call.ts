/**
 * What a call says to its provider beside its inputs. Calls of different requests that say the same may go together (coalesce.ts),
 * so all that a plugin learns of a request must be a line here.
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
    // Told by the prompt already.
    task: plan.prompt ? undefined : wordFor(request, target),
    fields: fieldsFor(request, target),
    extraBody: request.extraBody,
    longInput: plan.longInput,
    wireEncoding: facts.wire_encoding,
    ...(plan.types && { types: plan.types }),
  };
}
