/**
 * Opens vendors with one key and one address whose replies have OpenAI's shape, but whose requests and refusals have their own.
 * The body that a vendor expects, and the meaning of its refusals, are in its plugin, with its traps.
 */
import type { BatchService, EmbedCall, Explanation, Host, KnownFacts, Posted, Upstream } from "../src/plugin";
import { withVersion } from "./base-url";
import { type BearerOptions, bearerHeaders } from "./bearer";
import { openaiWire } from "./openai-wire";
import { withQuery } from "./options";

export interface OwnWords {
  /** Facts of every model there, including unknown ones. */
  readonly facts: KnownFacts;
  readonly bodyOf: (call: EmbedCall) => Record<string, unknown>;
  /** The meaning of a call's refusal; undefined where it is not in the vendor's envelope: then its status decides. */
  readonly explain: (refusal: Posted, call: EmbedCall) => Explanation | undefined;
  /** The vendor's batch service, at the same address. Left out: it has none. */
  readonly batches?: (at: At) => BatchService;
}

export interface At {
  /** The URL of a path, which begins with a slash. */
  readonly urlOf: (path: string) => string;
  readonly headers: Readonly<Record<string, string>>;
}

export function openaiShaped(
  host: Host,
  { api_key, base_url, query, headers: further }: BearerOptions,
  { facts, bodyOf, explain, batches }: OwnWords,
): Upstream {
  const wire = openaiWire(host);
  const urlOf = (path: string) => withQuery(base_url, query, (base) => `${withVersion(base, "v1")}${path}`);
  const url = urlOf("/embeddings");
  const headers = bearerHeaders(api_key, further);
  return {
    describe: () => facts,
    ...(batches && { batches: batches({ urlOf, headers }) }),
    async embed(call) {
      return wire.embed({
        url,
        headers,
        body: bodyOf(call),
        signal: call.signal,
        explain: (refusal) => explain(refusal, call),
      });
    },
  };
}
