/**
 * OpenAI's embeddings wire, for OpenAI and whatever else speaks it, by `base_url`: POST {base_url}/embeddings.
 * Source: openai/openai-openapi (CreateEmbeddingRequest); a vendor with fields of its own names them in `fields`.
 */
import type { TSchema } from "@sinclair/typebox";
import type { EmbedCall, Explanation, Host, Plugin, Posted } from "../src/plugin";

const plugin: Plugin = (host) => {
  const { t } = host;
  // Only what is read, so that a new key in the reply breaks nothing. OpenRouter may leave `index` out, Together `usage`;
  // what a server does not know may as well be null.
  const maybe = <Schema extends TSchema>(schema: Schema) => t.Optional(t.Union([schema, t.Null()]));
  const Reply = t.Object({
    model: maybe(t.String()),
    data: t.Array(
      t.Object({
        index: maybe(t.Integer()),
        embedding: t.Union([t.String(), t.Array(t.Number())], { expected: "an array of numbers or base64" }),
      }),
    ),
    usage: maybe(t.Object({ prompt_tokens: maybe(t.Integer()), total_tokens: maybe(t.Integer()) })),
  });

  return host.provider({
    id: "openai",
    options: t.Object(
      {
        api_key: t.Optional(
          t.String({ minLength: 1, description: "Sent as a Bearer token; local servers often need none." }),
        ),
        base_url: t.String({
          default: "https://api.openai.com/v1",
          pattern: "^https?://[^\\s?#@]+$",
          description: "As OpenAI's own SDKs take it, with its version: /v1.",
        }),
        organization: t.Optional(t.String({ minLength: 1, description: "The header OpenAI-Organization." })),
        project: t.Optional(t.String({ minLength: 1, description: "The header OpenAI-Project." })),
        headers: t.Optional(
          t.Record(t.String(), t.String(), { description: "Further headers, such as a proxy's." }),
        ),
      },
      { additionalProperties: false },
    ),
    concurrency: 64,
    open({ api_key, base_url, organization, project, headers }) {
      const url = `${withVersion(base_url)}/embeddings`;
      // In one case, so that a header named in the routing file does not stand beside one of ours, but under it.
      const further = Object.entries(headers ?? {}).map(
        ([name, value]) => [name.toLowerCase(), value] as const,
      );
      const allHeaders = {
        ...Object.fromEntries(further),
        ...(api_key === undefined ? {} : { authorization: `Bearer ${api_key}` }),
        ...(organization === undefined ? {} : { "openai-organization": organization }),
        ...(project === undefined ? {} : { "openai-project": project }),
      };
      return {
        async embed(call) {
          const posted = await host.post({
            url,
            headers: allHeaders,
            body: bodyOf(call),
            signal: call.signal,
            explain: (refusal) => explain(host, refusal),
          });
          const reply = host.read(Reply, posted.bytes);
          return {
            vectors: reply.data.map(({ index, embedding }, place) => ({
              index: index ?? place,
              values: host.vector(embedding),
            })),
            model: reply.model ?? undefined,
            tokens: reply.usage?.prompt_tokens ?? reply.usage?.total_tokens ?? undefined,
            tokensSource: "provider",
          };
        },
      };
    },
  });
};

export default plugin;

/** `https://host` alone means `https://host/v1`, as most servers that speak this wire have it. */
function withVersion(base_url: string): string {
  const trimmed = base_url.replace(/\/+$/, "");
  return new URL(trimmed).pathname === "/" ? `${trimmed}/v1` : trimmed;
}

function bodyOf(call: EmbedCall): Record<string, unknown> {
  return {
    ...call.extraBody,
    ...call.fields,
    model: call.model,
    input: call.inputs.map((input) => (typeof input === "string" ? input : Array.from(input))),
    encoding_format: call.wireEncoding,
    ...(call.dimensions === undefined ? {} : { dimensions: call.dimensions }),
    ...(call.user === undefined ? {} : { user: call.user }),
  };
}

/** OpenAI's envelope, and the flat one of Hugging Face's TEI (`{message, code, type}`). */
function explain(host: Host, refusal: Posted): Explanation | undefined {
  const { t } = host;
  const Words = t.Object({ message: t.String(), code: t.Optional(t.Unknown()) });
  try {
    const body = host.read(t.Union([t.Object({ error: Words }), Words]), refusal.bytes);
    const { message, code } = "error" in body ? body.error : body;
    return { message, kind: kindOf(refusal.status, message, code) };
  } catch {
    // Not JSON, or another envelope: the status decides, and the start of the body is told.
    return undefined;
  }
}

/** The few refusals that the status alone does not tell apart. */
function kindOf(status: number, message: string, code: unknown): Explanation["kind"] {
  // "Requested 453357 tokens, max 300000 tokens per request" (OpenDataBox/CrackSQL#27)
  if (code === "max_tokens_per_request" || /max \d+ tokens per request/.test(message))
    return "too_many_tokens";
  if (code === "context_length_exceeded" || /maximum context length/i.test(message)) return "input_too_long";
  // OpenAI answers 429 both for limits and for an empty balance; waiting does not fill the balance.
  if (code === "insufficient_quota") return "unauthorized";
  if (code === "model_not_found" && status >= 400 && status < 500) return "not_found";
  return undefined;
}
