/**
 * A provider's `embed` for a line whose replies have arrived: each of the line's own calls gets its reply, its error, or none. Calls of the
 * gateway itself (it measures spaces) are made as usual.
 */
import { GatewayError } from "../domain/errors";
import type { BatchCall, BatchResult, Input, Upstream } from "../plugin";
import type { UpstreamWay } from "./way";

/** @param why the provider ended the batch early; undefined if it reports that everything was done */
export function repliesOf(
  calls: readonly BatchCall[],
  results: ReadonlyMap<string, BatchResult>,
  why: string | undefined,
  { target }: UpstreamWay,
): Upstream["embed"] {
  const byInputs = new Map(calls.map(({ id, call }) => [keyOf(call.inputs), results.get(id)]));
  const own = new Set(calls.flatMap(({ call }) => call.inputs.map(textOf)));
  const missing = new GatewayError(
    "malformed",
    why === undefined
      ? "The provider's batch has ended without a result for this request."
      : `The provider's batch has ended without a result for this request: ${why.slice(0, 500)}.`,
  );
  const failed = calls.flatMap(({ id }) => {
    const result = results.get(id);
    return result && "failure" in result ? [result.failure] : [];
  });
  return async (call) => {
    const result = byInputs.get(keyOf(call.inputs));
    if (result && "reply" in result) return result.reply;
    if (result) throw result.failure;
    if (call.inputs.every((input) => own.has(textOf(input)))) throw failed[0] ?? missing;
    return target.provider.upstream.embed(call);
  };
}

const textOf = (input: Input) => (typeof input === "string" ? `t${input}` : `i${input.join()}`);
const keyOf = (inputs: readonly Input[]) => JSON.stringify(inputs.map(textOf));
