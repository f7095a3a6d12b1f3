/**
 * Adds a call to its request's trace, if the request has one. A call that several requests share is added to the first trace that is sampled,
 * and linked to the others.
 */
import type { Part, Run, Target } from "../domain/request";
import type { CallTrace } from "../domain/trace";
import type { Work } from "./work";

/** @param sharers the requests that share the call; left out: it belongs to one */
export function traceCall(
  { run }: Work,
  { provider, model, facts }: Target,
  part: Part,
  sharers?: readonly Run[],
): CallTrace | undefined {
  const traces = sharers?.flatMap(({ trace }) => trace ?? []);
  const own = traces?.find(({ isSampled }) => isSampled) ?? run.trace;
  return own?.call(
    {
      provider: provider.name,
      system: provider.telemetryName ?? provider.pluginId,
      model,
      inputs: part.pieces.length,
      encoding: facts.wire_encoding ?? "float",
    },
    traces?.filter((trace) => trace !== own),
  );
}
