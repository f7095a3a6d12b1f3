/**
 * Amazon Bedrock's InvokeModel as strict as Amazon: the address, the signature or key, the media type; the models are in bedrock-models.ts.
 * Sources: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html, @aws-sdk/client-bedrock-runtime.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import {
  type Body,
  cohereReply,
  invalid,
  isRecord,
  MODELS,
  malformed,
  Refusal,
  type Replied,
  wordsOf,
} from "./bedrock-models";
import { wrongSignature } from "./bedrock-signature";

export const BEDROCK_KEY = "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29tFake0kq7Rr2Lx4Zc9";
export const REGION = "us-east-1";

/** By the family's function. */
const SIZES: Readonly<Record<string, number>> = { titanText1: 1536, cohere4: 1536, nova: 3072 };

const bare = (model: string) => model.replace(/^(us|eu|apac|global)\./, "").replace(/:\d+$/, "");

export function bedrockVendor(model = "cohere.embed-english-v3"): Vendor {
  const size = SIZES[MODELS[bare(model)]?.name ?? ""] ?? 1024;
  const vectorOf = (text: string) => exactVector(text, size);
  return {
    fetch: respond,
    vectorOf,
    tokensOf: (texts) => texts.reduce((sum, text) => sum + wordsOf(text), 0),
    replyBody: (vectors) => JSON.stringify(cohereReply(vectors, [], [])),
    errorBody: (message) => JSON.stringify({ message }),
    indexed: false,
  };
}

async function respond(url: string, init: RequestInit): Promise<Response> {
  try {
    const { body, tokens } = await answer(url, init);
    const headers = {
      "content-type": "application/json",
      "x-amzn-bedrock-input-token-count": String(tokens),
      "x-amzn-bedrock-invocation-latency": "47",
    };
    return new Response(JSON.stringify(body), { headers });
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    const { status, type, message } = thrown;
    const headers = {
      "content-type": "application/json",
      "x-amzn-errortype": `${type}:http://internal.amazon.com/coral/com.amazon.bedrock/`,
    };
    return new Response(JSON.stringify({ message }), { status, headers });
  }
}

async function answer(url: string, { method = "GET", headers: given, body }: RequestInit): Promise<Replied> {
  const { origin, pathname } = new URL(url);
  const headers = new Headers(given);
  const text = String(body);
  const escaped = /^\/model\/([^/]+)\/invoke$/.exec(pathname)?.[1];
  if (origin !== `https://bedrock-runtime.${REGION}.amazonaws.com` || escaped === undefined)
    throw new Refusal(404, "UnknownOperationException", "");
  if (method !== "POST") throw new Refusal(405, "UnknownOperationException", "");
  // A colon as it is would be another path to sign.
  if (/[^\w.~%-]/.test(escaped)) throw new Refusal(404, "UnknownOperationException", "");
  await authorize(url, method, headers, text);
  if (headers.get("content-type") !== "application/json")
    throw invalid("The provided Content Type is invalid or not supported for this model");
  const asked = parse(text);
  const model = MODELS[bare(decodeURIComponent(escaped))];
  if (!model) throw invalid("The provided model identifier is invalid.");
  return model(asked);
}

async function authorize(url: string, method: string, headers: Headers, body: string): Promise<void> {
  const bearer = /^Bearer (\S+)$/.exec(headers.get("authorization") ?? "")?.[1];
  if (bearer === BEDROCK_KEY) return;
  if (bearer !== undefined) {
    const message =
      "Authentication failed: Please make sure your API Key is valid and has the required permissions.";
    throw new Refusal(403, "AccessDeniedException", message);
  }
  const wrong = await wrongSignature(url, method, headers, body, REGION);
  if (wrong) throw new Refusal(403, ...wrong);
}

function parse(text: string): Body {
  try {
    const body: unknown = JSON.parse(text);
    if (isRecord(body)) return body;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
  }
  throw malformed("expected type: JSONObject");
}
