/**
 * OpenAI's embeddings API, which many vendors speak: a call's body, a reply's fields, a refusal's meaning.
 * A plugin that uses it adds its address, its headers and its own fields; variants of replies seen in practice are read here.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { EmbedCall, EmbedReply, Explanation, Host, PostCall, Posted } from "../src/plugin";
import { tooLongIn } from "./refusals";
import { countAt } from "./usage";

export interface Wire {
  /** One POST and its parsed reply. `explain` is used where it is given, else the API's own. */
  embed(call: PostCall): Promise<EmbedReply>;
  /** The meaning of a refusal in this API's envelope; undefined for another envelope. */
  explain(refusal: Posted): Explanation | undefined;
}

/** The schema of a reply's body, and how it is read. */
export function openaiReply(host: Host) {
  const { t } = host;
  // Only what is used, so that a new field in the reply breaks nothing. OpenRouter may leave `index` out, Together `usage`;
  // a server may also send null for what it does not know.
  const maybe = <Schema extends TSchema>(schema: Schema) => t.Optional(t.Union([schema, t.Null()]));
  const Reply = t.Object({
    model: maybe(t.String()),
    data: t.Array(t.Object({ index: maybe(t.Integer()), embedding: host.wireVector })),
    usage: t.Optional(t.Unknown()),
  });
  return {
    schema: Reply,
    replyOf: ({ data, model, usage }: Static<typeof Reply>): EmbedReply => ({
      vectors: data.map(({ index, embedding }, place) => ({
        index: index ?? place,
        values: host.vector(embedding),
      })),
      model: model ?? undefined,
      tokens: countAt(usage, "prompt_tokens") ?? countAt(usage, "total_tokens"),
      tokensSource: "provider",
    }),
  };
}

export function openaiWire(host: Host): Wire {
  const { t } = host;
  const reply = openaiReply(host);
  // OpenAI's envelope, and the flat one of Hugging Face's TEI (`{message, code, type}`).
  const Words = t.Object({ message: t.String(), code: t.Optional(t.Unknown()) });
  const Refusal = t.Union([t.Object({ error: Words }), Words]);

  function explain(refusal: Posted): Explanation | undefined {
    try {
      const body = host.read(Refusal, refusal.bytes);
      const { message, code } = "error" in body ? body.error : body;
      return { message, ...meaningOf(refusal.status, message, code) };
    } catch {
      // Not JSON, or another envelope (NVIDIA's gateway, llama.cpp's router): its text is searched for known errors, else the status decides.
      return tooLongIn(new TextDecoder().decode(refusal.bytes.subarray(0, 2_000)));
    }
  }

  return {
    explain,
    async embed(call) {
      const posted = await host.post({ explain, ...call });
      return reply.replyOf(await host.readReply(reply.schema, posted.bytes));
    },
  };
}

/** The body of a call; the caller's `extra_body` is overridden by every other field. */
export function bodyOf(call: EmbedCall): Record<string, unknown> {
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

/** The few refusals that the status alone does not distinguish. */
function meaningOf(status: number, message: string, code: unknown): Omit<Explanation, "message"> {
  // "Requested 453357 tokens, max 300000 tokens per request" (OpenDataBox/CrackSQL#27)
  if (code === "max_tokens_per_request" || /max \d+ tokens per request/.test(message))
    return { kind: "too_many_tokens" };
  const tooLong = tooLongIn(message);
  if (tooLong) return tooLong;
  if (code === "context_length_exceeded") return { kind: "input_too_long" };
  // OpenAI answers 429 both for rate limits and for an exhausted balance; waiting does not refill the balance.
  if (code === "insufficient_quota") return { kind: "unauthorized" };
  if (code === "model_not_found" && status >= 400 && status < 500) return { kind: "not_found" };
  return {};
}
