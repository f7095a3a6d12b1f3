/**
 * An endpoint of OpenAI's embeddings API, by its base URL and key: one request, one answer, or the reason for a failure.
 * A new form of URL goes to `urlOf`.
 */
import { withoutSlash } from "../domain/base-url";
import type { Fetched, Outside } from "../domain/outside";
import { retryAfterMs } from "../upstream/post";
import { withoutSecrets } from "../upstream/redact";
import { type Answer, memberOf, parsedJson, readAnswer, startOf } from "./answer";
import type { Failure } from "./load";

export interface Endpoint {
  /** @param inputs how many texts the body contains */
  ask(body: Uint8Array<ArrayBuffer>, inputs: number): Promise<Asked>;
}

export interface Asked {
  readonly took_ms: number;
  /** Of the answer's body. */
  readonly bytes: number;
  readonly result: Answer | Failure;
}

export const isFailure = (result: Answer | Failure): result is Failure => "kind" in result;

const TIMEOUT_MS = 60_000;
/** Delay before the next attempt if the connection fails. */
const UNREACHED_REST_MS = 100;
/** For a 429 without Retry-After. */
const LIMITED_REST_MS = 1000;

/** Like OpenAI's SDKs (with /v1), or the full URL; for a bare host the usual path is added. @returns a message if it is no URL */
export function urlOf(text: string): URL | string {
  const url = URL.parse(text);
  if (!url || !/^https?:$/.test(url.protocol)) return `--url: "${text}" is not an http or https URL.`;
  if (url.username !== "" || url.password !== "")
    return "--url: it contains a user name or password; pass the key with --key.";
  const path = withoutSlash(url.pathname);
  if (!path.endsWith("/embeddings")) url.pathname = `${path === "" ? "/v1" : path}/embeddings`;
  return url;
}

/** @param stop cancels requests in flight */
export function openEndpoint(
  url: URL,
  key: string | undefined,
  stop: AbortSignal,
  outside: Outside,
): Endpoint {
  const headers: Record<string, string> = {
    "content-type": "application/json",
    // No compression, so that the counted bytes are the transferred ones.
    "accept-encoding": "identity",
    ...(key !== undefined && { authorization: `Bearer ${key}` }),
  };
  const inWords = (text: string) => withoutSecrets(text, headers);

  async function send(body: Uint8Array<ArrayBuffer>): Promise<{ response: Fetched; bytes: Uint8Array }> {
    const late = new AbortController();
    const answered = new AbortController();
    const alarm = outside.sleep(TIMEOUT_MS, answered.signal).then(
      () => late.abort(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)),
      // The answer had already arrived.
      () => undefined,
    );
    try {
      const response = await outside.fetch(url.href, {
        method: "POST",
        headers,
        body,
        // After a redirect the new URL would have to be measured; and the key is only for this one.
        redirect: "manual",
        signal: AbortSignal.any([late.signal, stop]),
      });
      return { response, bytes: new Uint8Array(await response.arrayBuffer()) };
    } finally {
      answered.abort();
      await alarm;
    }
  }

  function failureOf(response: Fetched, body: Uint8Array): Failure {
    const rest_ms = retryAfterMs(response.headers, outside.now());
    const kind = rest_ms === undefined ? `${response.status}` : `${response.status}, with Retry-After`;
    const location = response.headers.get("location");
    const parsed = parsedJson(body);
    const error = memberOf(parsed, "error") ?? parsed;
    const words = [
      memberOf(error, "message"),
      error,
      location && `it redirects to ${location}`,
      startOf(body),
    ];
    const message = words.find((one) => typeof one === "string" && one !== "");
    return {
      kind,
      message: inWords(String(message)).slice(0, 300),
      rest_ms: rest_ms ?? (response.status === 429 ? LIMITED_REST_MS : undefined),
    };
  }

  return {
    async ask(body, inputs) {
      const askedAt = outside.monotonic();
      try {
        const { response, bytes } = await send(body);
        // Before it is read: reading is our time, not the endpoint's.
        const took_ms = outside.monotonic() - askedAt;
        const isOk = response.status >= 200 && response.status < 300;
        const result = isOk ? readAnswer(bytes, inputs) : failureOf(response, bytes);
        return { took_ms, bytes: bytes.byteLength, result };
      } catch (cause) {
        const message = inWords(cause instanceof Error ? cause.message : String(cause));
        return {
          took_ms: outside.monotonic() - askedAt,
          bytes: 0,
          result: { kind: "no answer", message, rest_ms: UNREACHED_REST_MS },
        };
      }
    },
  };
}
