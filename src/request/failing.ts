/**
 * What the log line of a failed request says (src/door/failed.ts), and what its caller may see.
 * A new member of the line goes into `knownOf`.
 */
import { GatewayError } from "../domain/errors";
import type { Progress } from "./account";

/** Text from the caller is logged up to this length. */
const TEXT_MAX = 200;

/** For a request that fails with this error. The reason is the error's full text, before anything was hidden from the caller. */
export function knownOf(
  { request, route, run, caller }: Progress,
  error: GatewayError,
): Readonly<Record<string, unknown>> {
  const { providers } = run.tally;
  // If no provider was called because all queues are full: those providers.
  const full = error.kind === "busy" ? route?.targets.map(({ provider }) => provider.name) : undefined;
  const asked = [...(providers.size > 0 ? providers : (full ?? []))].join(", ") || undefined;
  // For a model with several routes: why no other route was called.
  const unused = route?.targets.filter(({ mayServe }) => !mayServe()).map(({ provider }) => provider.name);
  return {
    workspace: caller.workspace,
    key: caller.keyId,
    model: request?.model.slice(0, TEXT_MAX),
    inputs: request?.inputs.length,
    provider: error.provider ?? asked,
    reason: error.inLog,
    ...(unused && unused.length > 0 && { routes_not_used: unused }),
  };
}

/** Hides providers or their prices where the workspace's policies say so. */
export function toTell(error: GatewayError, { policies }: Progress): GatewayError {
  if (policies === undefined) return error;
  if (policies.prices !== "cost" && error.withoutCost !== undefined)
    return new GatewayError(error.kind, error.withoutCost, { ...error, cause: error.cause });
  return policies.provider_names === "hide" ? error.withoutProvider() : error;
}
