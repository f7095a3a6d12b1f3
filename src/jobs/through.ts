/**
 * Embeds through another gateway, or any other endpoint of OpenAI's embeddings API, by its base URL and a key.
 * The job plans with what GET /v1/models/MODEL reports; if that reports nothing, limits and price are unknown.
 */
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { withoutSlash } from "../domain/base-url";
import { type ErrorKind, GatewayError } from "../domain/errors";
import type { Fetched, Outside } from "../domain/outside";
import { estimatedTokens } from "../tokens/count";
import { retryAfterMs } from "../upstream/post";
import { withoutSecrets } from "../upstream/redact";
import { spaceIn } from "./inside";
import type { Asked, ModelFacts, Sender } from "./sender";

const nullable = <Schema extends ReturnType<typeof Type.Integer> | ReturnType<typeof Type.Number>>(
  schema: Schema,
) => Type.Optional(Type.Union([schema, Type.Null()]));

/** The members of GET /v1/models/MODEL that a job plans with. */
const Model = Type.Object({
  dimensions: nullable(Type.Integer({ minimum: 1 })),
  max_call_inputs: nullable(Type.Integer({ minimum: 1 })),
  max_call_tokens: nullable(Type.Integer({ minimum: 1 })),
  max_call_bytes: nullable(Type.Integer({ minimum: 1 })),
  price_usd_per_million_tokens: nullable(Type.Number({ minimum: 0 })),
});

const Answer = Type.Object({
  data: Type.Array(Type.Object({ index: Type.Integer({ minimum: 0 }), embedding: Type.String() })),
  usage: Type.Optional(Type.Object({ prompt_tokens: Type.Optional(Type.Integer({ minimum: 0 })) })),
});

const Failure = Type.Object({
  error: Type.Object({
    message: Type.String(),
    param: Type.Optional(Type.Union([Type.String(), Type.Null()])),
    code: Type.Optional(Type.Union([Type.String(), Type.Number(), Type.Null()])),
  }),
});

/** The other gateway may add a prompt to each text: an instruction of a line or two. */
const PROMPT_BYTES = 256;

/** Longer than a gateway's own deadline, so that the gateway reports the timeout and its reason. */
const TIMEOUT_MS = 300_000;

export interface Client {
  readonly send: (path: string, init: RequestInit) => Promise<Fetched>;
  readonly headers: Readonly<Record<string, string>>;
  /** Turns an answer other than 200 into an error. */
  readonly failureOf: (response: Fetched) => Promise<GatewayError>;
}

export function clientOf(
  base: URL,
  key: string | undefined,
  outside: Pick<Outside, "fetch" | "now">,
): Client {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const at = (path: string) => `${withoutSlash(base.href)}${path}`;

  async function send(path: string, init: RequestInit): Promise<Fetched> {
    try {
      return await outside.fetch(at(path), {
        ...init,
        // The key must go to this address only, so redirects are not followed.
        redirect: "manual",
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
    } catch (cause) {
      const why = withoutSecrets(cause instanceof Error ? cause.message : String(cause), headers);
      throw new GatewayError("unavailable", `${base.origin} does not answer: ${why}`);
    }
  }

  async function failureOf(response: Fetched): Promise<GatewayError> {
    const text = withoutSecrets(await textOf(response), headers);
    const { message, param, code } = wordsOf(text, response.status);
    const place = /^input\[(\d+)\]/.exec(param ?? "")?.[1];
    return new GatewayError(
      kindOf(response.status, code),
      `${base.origin} answered ${response.status}: ${message}`,
      {
        ...(param && { field: param }),
        ...(place !== undefined && { input: Number(place) }),
        ...definedRetry(retryAfterMs(response.headers, outside.now())),
      },
    );
  }

  return { send, headers, failureOf };
}

export async function openThrough(
  base: URL,
  key: string | undefined,
  asked: Asked,
  outside: Pick<Outside, "fetch" | "now">,
): Promise<Sender> {
  const { send, headers, failureOf } = clientOf(base, key, outside);

  async function factsOf(): Promise<ModelFacts> {
    const response = await send(`/models/${encodeURIComponent(asked.model)}`, { method: "GET", headers });
    if (response.status === 401 || response.status === 403) throw await failureOf(response);
    const found = parsed(await textOf(response));
    const model: Static<typeof Model> = response.status === 200 && Value.Check(Model, found) ? found : {};
    return {
      price: model.price_usd_per_million_tokens ?? undefined,
      dimensions: asked.dimensions ?? model.dimensions ?? undefined,
      max_inputs: model.max_call_inputs ?? undefined,
      max_call_tokens: model.max_call_tokens ?? undefined,
      max_call_bytes: model.max_call_bytes ?? undefined,
      prompt_bytes: PROMPT_BYTES,
    };
  }

  return {
    through: base.href,
    treatment: "",
    facts: await factsOf(),
    count: async (texts) => ({ tokens: estimatedTokens(texts), isExact: false }),
    async embed(texts, space) {
      const response = await send("/embeddings", {
        method: "POST",
        headers: { ...headers, ...(space ? { "x-embedgate-space": space } : {}) },
        body: JSON.stringify({
          model: asked.model,
          input: texts,
          encoding_format: "base64",
          ...(asked.dimensions !== undefined && { dimensions: asked.dimensions }),
          ...asked.fields,
        }),
      });
      if (response.status !== 200) throw await failureOf(response);
      const answer = parsed(await textOf(response));
      if (!Value.Check(Answer, answer))
        throw new GatewayError(
          "malformed",
          `${base.origin} answered 200 with what is no list of embeddings.`,
        );
      const tokens = answer.usage?.prompt_tokens ?? estimatedTokens(texts);
      return {
        vectors: vectorsOf(answer, texts.length),
        tokens,
        tokensBilled: tokens,
        truncated: response.headers.get("x-embedgate-truncated")?.split(",").length ?? 0,
        space: spaceIn(response.headers.get("x-embedding-space")),
        ignored: response.headers.get("x-embedgate-ignored") ?? undefined,
      };
    },
    close: async () => undefined,
  };
}

const decoder = new TextDecoder();
export const textOf = async (response: Fetched) => decoder.decode(await response.arrayBuffer());

const definedRetry = (ms: number | undefined) => (ms === undefined ? {} : { retryAfterMs: ms });

export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** One vector per text, in whatever order they arrive. @throws GatewayError malformed */
function vectorsOf({ data }: Static<typeof Answer>, count: number): Float32Array[] {
  const wrong = (why: string) =>
    new GatewayError("malformed", `The answer is no list of ${count} vectors: ${why}.`);
  const vectors: (Float32Array | undefined)[] = Array.from({ length: count });
  for (const { index, embedding } of data) {
    if (index >= count || vectors[index]) throw wrong(`the index ${index} is not expected`);
    const bytes = Uint8Array.from(Buffer.from(embedding, "base64"));
    if (bytes.length === 0 || bytes.length % 4 !== 0) throw wrong("one is not float32");
    vectors[index] = new Float32Array(bytes.buffer);
  }
  return vectors.map((vector) => {
    if (vector === undefined) throw wrong("one is missing");
    if (vector.length !== vectors[0]?.length) throw wrong("they are of different sizes");
    if (!vector.every(Number.isFinite)) throw wrong("a number is not finite");
    return vector;
  });
}

function wordsOf(text: string, status: number) {
  const found = parsed(text);
  if (Value.Check(Failure, found)) return found.error;
  return { message: text.slice(0, 300) || `status ${status}`, param: undefined, code: undefined };
}

const KINDS: Readonly<Record<number, ErrorKind>> = {
  400: "invalid",
  401: "wrong_key",
  402: "insufficient_credit",
  403: "forbidden",
  404: "unknown_model",
  408: "timeout",
  409: "space_mismatch",
  413: "too_large",
  422: "invalid",
  429: "rate_limited",
  504: "timeout",
};

function kindOf(status: number, code: string | number | null | undefined): ErrorKind {
  if (code === "context_length_exceeded") return "input_too_long";
  if (code === "unsupported_dimensions") return "unsupported_dimensions";
  // Out of credit: waiting does not help.
  if (status === 429 && code === "insufficient_quota") return "insufficient_credit";
  // Only the operator can fix these.
  if (code === "provider_not_configured") return "provider_not_configured";
  if (code === "space_out_of_service") return "space_out_of_service";
  return KINDS[status] ?? (status >= 500 ? "unavailable" : "forbidden");
}
