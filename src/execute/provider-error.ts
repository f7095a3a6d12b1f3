/**
 * A failed call as an error of its provider, also where its plugin threw what no plugin should.
 */
import { GatewayError } from "../domain/errors";
import type { Target } from "../domain/request";
import type { Work } from "./work";

/** What a plugin throws is one of ours (it made it with `host.failure`); anything else is its own fault, told in the log only. */
export function asProviderError(thrown: unknown, work: Work, { provider }: Target): GatewayError {
  const error = thrown instanceof GatewayError ? thrown : brokenPlugin(thrown, work, provider);
  return error.at(provider.name);
}

function brokenPlugin(thrown: unknown, { outside, run }: Work, provider: Target["provider"]): GatewayError {
  outside.log("error", "plugin error: it threw something other than host.failure()", {
    request: run.requestId,
    provider: provider.name,
    thrown: String(thrown),
  });
  return new GatewayError(
    "malformed",
    `The plugin of the provider "${provider.name}" failed. The gateway's log has its error, by the request's id.`,
    { cause: thrown },
  );
}
