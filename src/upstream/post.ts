/**
 * One request to a provider: bytes out, bytes back, and what any status but 2xx means. It neither retries nor splits.
 * What a provider says in an error is passed on with every credential of ours taken out.
 */
import { GatewayError } from "../domain/errors";
import type { Fetched, Outside } from "../domain/outside";
import { twinsInBody } from "../domain/spelling";
import { traceOf } from "../domain/trace";
import { isFailedHandshake, untrusted } from "../network/connecting";
import { Gathered } from "../network/gathered";
import { REPLY_BYTES_MAX } from "../network/http-client";
import type { Explanation, FailureKind, PostCall, Posted, SendCall } from "../plugin";
import { type AnsweringUrls, answeringUrls } from "./answering-urls";
import { START_BYTES, sentWith, startOf, withoutSecrets } from "./redact";
import { isAboutPath, isPlainOfApi, plainWords } from "./words";

/** @param answering the URLs that have answered so far */
export async function send(
  call: SendCall,
  outside: Pick<Outside, "fetch" | "now">,
  answering = answeringUrls(),
): Promise<Posted> {
  const reply = await answered(call, outside);
  if (reply.status < 200 || reply.status >= 300)
    throw refusal(call, reply, outside.now(), answering.has(call.url));
  answering.add(call.url);
  return reply;
}

export function post(
  { body, ...call }: PostCall,
  outside: Pick<Outside, "fetch" | "now">,
  answering?: AnsweringUrls,
): Promise<Posted> {
  // A reader without case would take the caller's for the plugin's own.
  const twins = twinsInBody(body);
  if (twins) return Promise.reject(otherSpelling(...twins));
  // Overrides the routing file's headers in any case: the body is JSON.
  const headers: Record<string, string> = {};
  for (const name in call.headers)
    if (name.toLowerCase() !== "content-type") headers[name] = call.headers[name] ?? "";
  headers["content-type"] = "application/json";
  return send({ ...call, method: "POST", headers, body: JSON.stringify(body) }, outside, answering);
}

/** @param first the one that stands first: what is the caller's goes under all that is the plugin's */
function otherSpelling(first: string, own: string): GatewayError {
  const field = `extra_body.${first}`.slice(0, 200);
  return new GatewayError(
    "invalid",
    `'${field}' is another spelling of '${own}', which the gateway sets: leave it out.`,
    {
      field,
    },
  );
}

async function answered(call: SendCall, outside: Pick<Outside, "fetch">): Promise<Posted> {
  const trace = traceOf(call.signal);
  try {
    const response = await outside.fetch(call.url, {
      method: call.method,
      headers: new Headers(trace ? { ...call.headers, ...trace.sentTo(call.url) } : call.headers),
      ...(call.body === undefined ? {} : { body: call.body }),
      signal: call.signal,
      // A redirect would carry our credentials to wherever it points.
      redirect: "manual",
    });
    trace?.answered(response.status);
    const bytes = response.whole ?? (await readAll(response));
    return {
      status: response.status,
      bytes,
      // Some make them when they are asked for.
      get headers() {
        return response.headers;
      },
    };
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    // The signal's reason says why: the attempt's timeout, the deadline, or a client that disconnected.
    if (call.signal.aborted) throw call.signal.reason;
    const distrust = untrusted(call.url, cause, "of the provider in the routing file");
    // Another attempt would meet the same certificate.
    if (distrust !== undefined) throw new GatewayError("wrong_address", distrust, { cause });
    if (isFailedHandshake(cause))
      throw new GatewayError(
        "unavailable",
        `The TLS handshake with ${new URL(call.url).host} failed: check that it speaks TLS there (https://), and whether it asks for a client certificate ('client_cert' and 'client_key' of the provider in the routing file).`,
        { cause },
      );
    const reason = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
    throw new GatewayError(
      "unavailable",
      `The provider could not be reached, or the connection broke${reason}.`,
      { cause },
    );
  }
}

/** Read piece by piece: a reply need not say its length, and what it says is not what it unpacks to. */
async function readAll(response: Fetched): Promise<Uint8Array> {
  const { body, headers } = response;
  if (body === null) return new Uint8Array();
  const declared = headers.get("content-length");
  if (Number(declared ?? 0) > REPLY_BYTES_MAX) {
    await body.cancel();
    throw tooLarge();
  }
  // What says its length and is not packed can be no larger: read at once, which costs a quarter.
  if (declared !== null && !headers.has("content-encoding"))
    return new Uint8Array(await response.arrayBuffer());
  const gathered = new Gathered();
  // Leaving the loop closes the connection.
  for await (const piece of body) {
    gathered.add(piece);
    if (gathered.size > REPLY_BYTES_MAX) throw tooLarge();
  }
  return gathered.bytes();
}

const tooLarge = () => new GatewayError("malformed", "The provider's answer is too large.");

function refusal(call: SendCall, reply: Posted, now: number, hasAnswered: boolean): GatewayError {
  const explanation: Explanation = call.explain?.(reply) ?? {};
  const sent = sentWith(call);
  const words =
    explanation.message === undefined
      ? startOf(reply.bytes, sent)
      : plainWords(withoutSecrets(explanation.message, sent));
  const kind = explanation.kind ?? kindOfRefusal(reply, words, hasAnswered);
  const where =
    explanation.kind === undefined && kind === "wrong_address"
      ? ` at ${addressOf(call)} (check the provider's base_url)`
      : "";
  const message = `The provider answered ${reply.status}${where}${words === "" ? "" : `: ${words}`}`;
  return new GatewayError(kind, message, {
    ...explanation,
    upstreamStatus: reply.status,
    retryAfterMs: explanation.retryAfterMs ?? retryAfterMs(reply.headers, now),
  });
}

/** @param hasAnswered the URL is right: the server behind it is down, or the model there is gone */
function kindOfRefusal({ status, bytes }: Posted, words: string, hasAnswered: boolean): FailureKind {
  const body = new TextDecoder().decode(bytes.subarray(0, START_BYTES));
  if (!isAboutPath(status, words, body)) return kindOf(status);
  if (!hasAnswered) return "wrong_address";
  return status === 404 && isPlainOfApi(words, body) ? "not_found" : "unavailable";
}

/** Without what may be a key in it. */
function addressOf({ url, headers }: SendCall): string {
  const { origin, pathname } = new URL(url);
  return withoutSecrets(origin + pathname, headers);
}

function kindOf(status: number): FailureKind {
  if (status === 401 || status === 403 || status === 402) return "unauthorized";
  if (status === 404) return "not_found";
  if (status === 408 || status === 409 || status === 425 || status >= 500) return "unavailable";
  if (status === 429) return "overloaded";
  if (status < 400) return "malformed";
  return "invalid";
}

/** `retry-after-ms` (Azure), `retry-after` in seconds or as a date (RFC 9110, 10.2.3). */
export function retryAfterMs(headers: Headers, now: number): number | undefined {
  const milliseconds = headers.get("retry-after-ms");
  if (milliseconds !== null && /^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds);
  const value = headers.get("retry-after");
  if (value === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value) * 1000;
  // A date has the names of its day and month; `Date.parse` alone would find one in "-5" too.
  const date = /^[A-Z]/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
