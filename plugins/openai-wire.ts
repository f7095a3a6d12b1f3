/**
 * OpenAI's embeddings wire, which many vendors speak: what a call's body is, what a reply says, what a refusal means.
 * A plugin that speaks it adds its address, its headers and its own words; a way of answering seen in the wild is read here.
 */
import type { Static, TSchema } from "@sinclair/typebox";
import type { EmbedCall, EmbedReply, Explanation, Host, PostCall, Posted } from "../src/plugin";
import { tooLongIn } from "./refusals";
import { countAt } from "./usage";

export interface Wire {
  /** One POST and its reply, read. `explain` is used where it is given, else the wire's own. */
  embed(call: PostCall): Promise<EmbedReply>;
  /** What a refusal in this wire's envelope says; undefined where it is in none. */
  explain(refusal: Posted): Explanation | undefined;
}

/** A reply's body, and what it says. */
export function openaiReply(host: Host) {
  const { t } = host;
  // Only what is read, so that a new key in the reply breaks nothing. OpenRouter may leave `index` out, Together `usage`;
  // what a server does not know may as well be null.
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
      // Not JSON, or another envelope (NVIDIA's door, llama.cpp's router): its words are looked through, else the status decides.
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

/** The body of a call, the caller's `extra_body` under everything else. */
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

/** The few refusals that the status alone does not tell apart. */
function meaningOf(status: number, message: string, code: unknown): Omit<Explanation, "message"> {
  // "Requested 453357 tokens, max 300000 tokens per request" (OpenDataBox/CrackSQL#27)
  if (code === "max_tokens_per_request" || /max \d+ tokens per request/.test(message))
    return { kind: "too_many_tokens" };
  const tooLong = tooLongIn(message);
  if (tooLong) return tooLong;
  if (code === "context_length_exceeded") return { kind: "input_too_long" };
  // OpenAI answers 429 both for limits and for an empty balance; waiting does not fill the balance.
  if (code === "insufficient_quota") return { kind: "unauthorized" };
  if (code === "model_not_found" && status >= 400 && status < 500) return { kind: "not_found" };
  return {};
}
