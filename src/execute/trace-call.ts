/**
 * Adds a call to its request's trace, if the request has one.
 */
import type { Part, Target } from "../domain/request";
import type { CallTrace } from "../domain/trace";
import type { Work } from "./work";

export function traceCall(
  { run }: Work,
  { provider, model, facts }: Target,
  part: Part,
): CallTrace | undefined {
  return run.trace?.call({
    provider: provider.name,
    system: provider.telemetryName ?? provider.pluginId,
    model,
    inputs: part.pieces.length,
    encoding: facts.wire_encoding ?? "float",
  });
}
