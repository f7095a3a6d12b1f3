/**
 * Sends one request to a provider, reads the reply, and turns every status except 2xx into an error. It neither retries nor splits.
 * A provider's error message is passed on with all of our credentials removed.
 */
import { GatewayError } from "../domain/errors";
import type { Fetched, Outside } from "../domain/outside";
import { twinsInBody } from "../domain/spelling";
import { traceOf } from "../domain/trace";
import { isFailedHandshake, untrusted } from "../network/connecting";
import { Gathered } from "../network/gathered";
import { REPLY_BYTES_MAX } from "../network/http-client";
import type { Explanation, FailureKind, PostCall, Posted, SendCall } from "../plugin";
import { answeringUrls } from "./answering-urls";
import { START_BYTES, sentWith, startOf, withoutSecrets } from "./redact";
import { isAboutPath, isPlainOfApi, plainWords } from "./words";

/** What is remembered of the calls: the URLs that have answered, and with what each reply was asked for. */
export class Known {
  readonly answering = answeringUrls();
  /** By the reply's bytes: an error about a reply must not repeat the request's secrets. */
  readonly askedWith = new WeakMap<Uint8Array, Pick<SendCall, "url" | "headers">>();
}

/** A reply; its headers are asked for on demand, as some implementations create them then. */
class Received implements Posted {
  constructor(
    private readonly response: Fetched,
    readonly bytes: Uint8Array,
  ) {}

  get status(): number {
    return this.response.status;
  }

  get headers(): Headers {
    return this.response.headers;
  }
}

export async function send(
  call: SendCall,
  outside: Pick<Outside, "fetch" | "now">,
  known = new Known(),
): Promise<Posted> {
  const trace = traceOf(call.signal);
  let response: Fetched;
  let bytes: Uint8Array;
  try {
    response = await outside.fetch(call.url, {
      method: call.method,
      headers: trace ? { ...call.headers, ...trace.sentTo(call.url) } : call.headers,
      body: call.body,
      signal: call.signal,
      // Following a redirect would send our credentials to an unknown address.
      redirect: "manual",
    });
    trace?.answered(response.status);
    bytes = response.whole ?? (await readAll(response));
  } catch (cause) {
    throw unanswered(call, cause);
  }
  const reply = new Received(response, bytes);
  known.askedWith.set(bytes, call);
  const { status } = response;
  if (status < 200 || status >= 300) throw refusal(call, reply, outside.now(), known.answering.has(call.url));
  known.answering.add(call.url);
  return reply;
}

export function post(
  call: PostCall,
  outside: Pick<Outside, "fetch" | "now">,
  known?: Known,
): Promise<Posted> {
  const { url, body, signal, explain } = call;
  // A server that ignores case would take the caller's field for the plugin's own.
  const twins = twinsInBody(body);
  if (twins) return Promise.reject(otherSpelling(...twins));
  // Overrides the routing file's header in every spelling: the body is JSON.
  const headers: Record<string, string> = {};
  for (const name in call.headers)
    if (name.toLowerCase() !== "content-type") headers[name] = call.headers[name] ?? "";
  headers["content-type"] = "application/json";
  return send({ url, method: "POST", headers, body: JSON.stringify(body), signal, explain }, outside, known);
}

/** @param first the name that comes first in the body: callers' fields come after all fields of the plugin */
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

/** @returns the error for a call that got no reply, or no whole one */
function unanswered(call: SendCall, cause: unknown): unknown {
  if (cause instanceof GatewayError) return cause;
  // The signal's reason says why: the attempt's timeout, the deadline, or a client that disconnected.
  if (call.signal.aborted) return call.signal.reason;
  const distrust = untrusted(call.url, cause, "of the provider in the routing file");
  // A retry would get the same certificate.
  if (distrust !== undefined) return new GatewayError("wrong_address", distrust, { cause });
  if (isFailedHandshake(cause))
    return new GatewayError(
      "unavailable",
      `The TLS handshake with ${new URL(call.url).host} failed: check that it speaks TLS there (https://), and whether it asks for a client certificate ('client_cert' and 'client_key' of the provider in the routing file).`,
      { cause },
    );
  const reason = cause instanceof Error && "code" in cause ? ` (${String(cause.code)})` : "";
  return new GatewayError(
    "unavailable",
    `The provider could not be reached, or the connection broke${reason}.`,
    { cause },
  );
}

/** Reads piece by piece: a reply may have no Content-Length, and the length does not say how large the decompressed body is. */
async function readAll(response: Fetched): Promise<Uint8Array> {
  const { body, headers } = response;
  if (body === null) return new Uint8Array();
  const declared = headers.get("content-length");
  if (Number(declared ?? 0) > REPLY_BYTES_MAX) {
    await body.cancel();
    throw tooLarge();
  }
  // A reply with a Content-Length and without compression cannot be larger: reading it at once takes a quarter of the time.
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

/** The URL without anything that may be a key. */
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
  // A date starts with the name of a day; `Date.parse` alone would also accept "-5".
  const date = /^[A-Z]/i.test(value) ? Date.parse(value) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
