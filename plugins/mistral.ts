/**
 * Mistral AI: OpenAI's shape with fewer fields. A request with a field that Mistral does not know is refused (`dimensions` and `user` are
 * such fields). Sources: mistralai/platform-docs-public (openapi.yaml), @mistralai/mistralai 2.7.0; refusals as seen in practice.
 */
import type { EmbedCall, Explanation, Host, Plugin, Posted } from "../src/plugin";
import { bearerOptions } from "./bearer";
import { readEnvelope } from "./envelope";
import { mistralBatches } from "./mistral-batches";
import { openaiShaped } from "./openai-shaped";
import { refuseOwn, textsOf } from "./request-body";
import { tooLongAmong } from "./too-long";

const plugin: Plugin = (host) => {
  const { t } = host;
  return host.provider({
    id: "mistral",
    telemetryName: "mistral_ai",
    options: t.Object(bearerOptions(host, "https://api.mistral.ai/v1"), { additionalProperties: false }),
    concurrency: 16,
    open: (options) =>
      openaiShaped(host, options, {
        facts: LIMITS,
        bodyOf: (call) => bodyOf(host, call),
        explain: (refusal, { inputs }) => explained(host, refusal, inputs.length),
        batches: (at) =>
          mistralBatches(host, {
            ...at,
            explain: (refusal) => explained(host, refusal, 1),
            bodyOf: (call) => bodyOf(host, call),
          }),
      }),
  });
};

export default plugin;

/** Facts of every model there, including unknown ones. */
const LIMITS = {
  // 256 pass and 257 do not: rig-core 0.42.0 (src/providers/mistral/embedding.rs), raphaelmansuy/edgequake-llm.
  max_inputs: 256,
  // 65,286 tokens pass and 66,960 do not (garrytan/gbrain#3001); it was 16,384 until 2025 (dust-tt/dust#10654).
  max_call_tokens: 65_536,
} as const;

function bodyOf(host: Host, call: EmbedCall): Record<string, unknown> {
  const { model, extraBody, dimensions, wireEncoding } = call;
  // Another type than float would be returned as numbers too, and be mistaken for a float vector of the model's space.
  refuseOwn(host, call, { output_dimension: "dimensions", output_dtype: "encoding_format" });
  return {
    ...extraBody,
    model,
    input: textsOf(host, call),
    encoding_format: wireEncoding,
    ...(dimensions === undefined ? {} : { output_dimension: dimensions }),
  };
}

/** Mistral's own envelope, whose message may contain FastAPI's list of errors, and FastAPI's own envelope. */
function explained(host: Host, posted: Posted, inputs: number): Explanation | undefined {
  const { t } = host;
  const Faults = t.Array(t.Object({ msg: t.String(), loc: t.Optional(t.Array(t.Unknown())) }));
  const Detail = t.Object({ detail: t.Union([t.String(), Faults]) });
  const Refusal = t.Union([
    t.Object({
      message: t.Union([t.String(), Detail]),
      type: t.Optional(t.Union([t.String(), t.Null()])),
      code: t.Optional(t.Unknown()),
    }),
    Detail,
  ]);
  const refusal = readEnvelope(host, Refusal, posted);
  if (!refusal) return undefined;
  const said = "message" in refusal ? refusal.message : refusal;
  const detail = typeof said === "string" ? said : said.detail;
  const message =
    typeof detail === "string"
      ? detail
      : detail.map(({ msg, loc = [] }) => `${loc.join(".")}: ${msg}`).join("; ");
  return { message, ...meaningOf(message, "message" in refusal ? refusal.type : undefined, inputs) };
}

function meaningOf(
  message: string,
  type: string | null | undefined,
  inputs: number,
): Omit<Explanation, "message"> {
  // "Input id 1 has 57558 tokens, exceeding max 8192 tokens."
  const tooLong = /^Input id (\d+) has (\d+) tokens, exceeding max (\d+)/.exec(message);
  if (tooLong) {
    const [, place, tokens, tokensMax] = tooLong.map(Number);
    return {
      kind: "input_too_long",
      ...(place !== undefined && { input: place }),
      ...(tokens !== undefined && { tokens }),
      ...(tokensMax !== undefined && { tokensMax }),
    };
  }
  // "Too many tokens overall, split into more batches." (chroma-core/chroma#5597), "Too many inputs in request, …" (raphaelmansuy/edgequake-llm#74),
  // "Too many tokens in batch. Max is 16384 got 17555" (aurelio-labs/semantic-router#297)
  if (/^Too many (?:tokens|inputs)|split into more batches/i.test(message)) return tooLongAmong(inputs);
  // Sent with status 400.
  return type === "invalid_model" ? { kind: "not_found" } : {};
}
