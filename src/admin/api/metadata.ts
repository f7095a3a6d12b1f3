/** Pairs of a request's metadata in a query: `metadata=project.team=search`. */
import { GatewayError } from "../../domain/errors";

/** @throws GatewayError invalid */
export function metadataIn(pairs: readonly string[] = []): ReadonlyMap<string, string> {
  return new Map(
    pairs.map((pair) => {
      const at = pair.indexOf("=");
      if (at < 1)
        throw new GatewayError("invalid", "'metadata' must be KEY=VALUE, such as project.team=search.", {
          field: "metadata",
        });
      return [pair.slice(0, at), pair.slice(at + 1)];
    }),
  );
}
