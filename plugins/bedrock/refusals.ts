/**
 * Explains Bedrock's errors by the header, else by the message, else by the status. A newly seen refusal is a line of `kindOf`.
 * Sources: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html; errors seen only in practice name their source in place.
 */
import type { Explanation, Host, Posted } from "../../src/plugin";

/** @param texts the number of texts in the call */
export function explained(host: Host, refusal: Posted, texts: number): Explanation | undefined {
  const { t } = host;
  // Some AWS gateways write the field with a capital M.
  const Refusal = t.Union([t.Object({ message: t.String() }), t.Object({ Message: t.String() })]);
  const type = /^\w+/.exec(refusal.headers.get("x-amzn-errortype") ?? "")?.[0];
  try {
    const body = host.read(Refusal, refusal.bytes);
    const message = "message" in body ? body.message : body.Message;
    const kind = kindOf(type, message);
    const place = /#\/texts\/(\d+)\b/.exec(message)?.[1] ?? (texts === 1 ? "0" : undefined);
    const input = kind === "input_too_long" && place !== undefined ? { input: Number(place) } : {};
    return { message: type === undefined ? message : `${type}: ${message}`, kind, ...input };
  } catch {
    // Another envelope, or an HTML page: the status decides, unless the header names the error.
    return { kind: kindOf(type, "") };
  }
}

function kindOf(type: string | undefined, message: string): Explanation["kind"] {
  // 400 Bad Request: Too many input tokens. Max input tokens: 8192, request input token count: 9875 (aws-samples/amazon-bedrock-workshop#136);
  // #/texts/0: expected maxLength: 2048, actual: 19882 (ScrapeGraphAI/Scrapegraph-ai#400);
  // Input is too long for requested model. (run-llama/llama_index#14118)
  if (/too many input tokens|expected maxLength|input is too long/i.test(message)) return "input_too_long";
  // The model may only be available in another region, or only by an inference profile's id (anthropics/claude-code#1466).
  if (/model identifier is invalid|with on-demand throughput isn.t supported/i.test(message))
    return "not_found";
  return KINDS[type ?? ""];
}

/** Errors whose status alone would mislead: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html#…Errors */
const KINDS: Readonly<Record<string, Explanation["kind"]>> = {
  ThrottlingException: "overloaded",
  ServiceQuotaExceededException: "overloaded",
  // "the model is not ready to serve": 429.
  ModelNotReadyException: "overloaded",
  // 424: the model itself failed.
  ModelErrorException: "unavailable",
  ModelTimeoutException: "timeout",
};
