/**
 * Turns a failed call into an error of its provider, also if its plugin threw something unexpected.
 */
import { GatewayError } from "../domain/errors";
import type { Target } from "../domain/request";
import type { Work } from "./work";

/** A plugin should throw errors that it made with `host.failure`. Anything else is a bug of the plugin and only goes to the log. */
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
