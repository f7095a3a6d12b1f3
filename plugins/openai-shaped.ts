/**
 * Vendors with one key and one address whose replies have OpenAI's shape, but who are asked, and refuse, in words of their own: how such a
 * one is opened. What it is sent and what its refusals mean is in each plugin, beside its traps.
 */
import type { BatchService, EmbedCall, Explanation, Host, KnownFacts, Posted, Upstream } from "../src/plugin";
import { withVersion } from "./base-url";
import { type BearerOptions, bearerHeaders } from "./bearer";
import { openaiWire } from "./openai-wire";
import { withQuery } from "./options";

export interface OwnWords {
  /** True of every model there, including unknown ones. */
  readonly facts: KnownFacts;
  readonly bodyOf: (call: EmbedCall) => Record<string, unknown>;
  /** What a refusal of this call means; undefined where it is in no envelope of the vendor's: then its status decides. */
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
