/**
 * OpenRouter: OpenAI's API with a prefix before each model's name, a choice of providers (`provider`), and its own errors. base64 is never
 * requested, since it is often answered with floats or with no vectors at all (plastic-labs/honcho#932).
 * Source: OpenRouterTeam/typescript-sdk 1.3.19 (CreateEmbeddingsRequestBody, CreateEmbeddingsResponseBody).
 */
import type { Explanation, Host, Plugin, Posted } from "../src/plugin";
import { withPath } from "./base-url";
import { COHERE_WORDS } from "./cohere-words";
import { headersOf } from "./headers";
import { bodyOf, openaiWire, type Wire } from "./openai-wire";
import { addressOption, headersOption, queryOption, withQuery } from "./options";

const plugin: Plugin = (host) => {
  const { t } = host;
  const wire = openaiWire(host);
  return host.provider({
    id: "openrouter",
    options: t.Object(
      {
        api_key: t.String({ minLength: 1, description: "Sent as a Bearer token." }),
        base_url: {
          ...addressOption(host, "https://openrouter.ai/api/v1", "Base URL, with its version: /api/v1."),
          needsPath: true,
        },
        query: queryOption(host),
        referer: t.Optional(
          t.String({
            minLength: 1,
            description: "The header HTTP-Referer: your app's URL, for rankings.",
          }),
        ),
        title: t.Optional(
          t.String({ minLength: 1, description: "The header X-OpenRouter-Title: your app's name." }),
        ),
        headers: headersOption(host),
      },
      { additionalProperties: false },
    ),
    // "The type of input (e.g. search_query, search_document)": Cohere's words, passed on to every provider.
    tasks: {
      words: COHERE_WORDS,
      others: true,
    },
    fields: {
      provider: t.Object(
        {},
        {
          additionalProperties: true,
          expected: "an object: order, only, ignore, allow_fallbacks …",
          description: "Which of OpenRouter's providers may answer, and in which order.",
        },
      ),
    },
    concurrency: 64,
    open({ api_key, base_url, query, referer, title, headers: further }) {
      const url = withQuery(base_url, query, (base) => `${withPath(base, "/api/v1")}/embeddings`);
      const headers = headersOf(further, {
        authorization: `Bearer ${api_key}`,
        "http-referer": referer,
        // X-Title until 2026; the newest SDK sends this.
        "x-openrouter-title": title,
      });
      return {
        embed: (call) =>
          wire.embed({
            url,
            headers,
            body: {
              ...bodyOf(call),
              encoding_format: "float",
              ...(call.task === undefined ? {} : { input_type: call.task }),
            },
            signal: call.signal,
            explain: (refusal) => explain(host, wire, refusal),
          }),
      };
    },
  });
};

export default plugin;

/** OpenRouter's own refusals, and those of a provider behind it, whose text is quoted in full in `metadata.raw`. */
function explain(host: Host, wire: Wire, refusal: Posted): Explanation | undefined {
  const own = wire.explain(refusal);
  if (own?.message === undefined) return own;
  // An unknown model is a 400 here (tinyhumansai/openhuman#4045, OpenRouterTeam/openrouter-examples#74).
  if (refusal.status === 400 && /is not a valid model ID|^Model \S+ does not exist/.test(own.message))
    return { ...own, kind: "not_found" };
  const { t } = host;
  const Metadata = t.Object({ raw: t.Optional(t.Unknown()), reasons: t.Optional(t.Array(t.Unknown())) });
  try {
    const { metadata } = host.read(
      t.Object({ error: t.Object({ metadata: Metadata }) }),
      refusal.bytes,
    ).error;
    // A 403 for a text that its moderation flagged is the text's fault, not the fault of our key.
    if (refusal.status === 403 && metadata.reasons !== undefined) return { ...own, kind: "invalid" };
    if (typeof metadata.raw !== "string") return own;
    const inner = wire.explain({ ...refusal, bytes: new TextEncoder().encode(metadata.raw) });
    return { ...own, ...inner, message: `${own.message}: ${inner?.message ?? metadata.raw}` };
  } catch {
    // Without such metadata only OpenRouter's own text is known.
    return own;
  }
}
