/**
 * A call as the traces of its requests are told of it; nothing where they have none. A call that several share is in the trace of one of
 * them, the first that is recorded, and linked to the others.
 */
import type { Part, Run, Target } from "../domain/request";
import type { CallTrace } from "../domain/trace";
import type { Work } from "./work";

/** @param sharers all whose call it is; left out: it is one request's */
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
