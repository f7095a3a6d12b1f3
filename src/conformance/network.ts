/**
 * The network that a plugin under test sees: it records each request, obeys signals and follows redirects like `fetch`.
 * With `answer` a check replaces the upstream's answer.
 */
export interface SentRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
}

export interface Network {
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly requests: readonly SentRequest[];
  /** The upstream's own answers, in order. */
  readonly replies: readonly Reply[];
  /** From now on every request gets this answer; undefined: the vendor's again. */
  answer(reply: Answer | undefined): void;
}

/** An answer as bytes, so that it can be repeated. */
export interface Reply {
  readonly status: number;
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly body: string;
}

export type Answer = (request: SentRequest) => Response | Promise<Response>;
type Fetch = Network["fetch"];

/** @param vendor the fake or live upstream; left out, every request is an error, because the plugin needs no network. */
export function createNetwork(vendor?: Fetch): Network {
  const requests: SentRequest[] = [];
  const replies: Reply[] = [];
  let answer: Answer | undefined;

  async function respond(url: string, init: RequestInit): Promise<Response> {
    const sent = {
      url,
      method: init.method ?? "GET",
      headers: new Headers(init.headers),
      body: await new Response(init.body).text(),
    };
    requests.push(sent);
    const reply = answer ?? (vendor && (() => kept(vendor(url, { ...init, body: sent.body }))));
    if (reply === undefined) throw new Error(`This plugin must not use the network, but called ${url}`);
    const response = await reply(sent);
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    if (init.redirect === "manual") return response;
    if (init.redirect === "error") throw new TypeError("A redirect was answered.");
    return respond(new URL(location, url).href, init);
  }

  async function kept(answered: Promise<Response>): Promise<Response> {
    const response = await answered;
    const reply = { status: response.status, headers: [...response.headers], body: await response.text() };
    replies.push(reply);
    return again(reply);
  }

  return {
    requests,
    replies,
    fetch: (url, init) => untilAborted(respond(url, init), init.signal),
    answer(reply) {
      answer = reply;
    },
  };
}

/** Headers about a body's compression belong to the transfer only. */
const OF_THE_WAY = ["content-encoding", "content-length", "transfer-encoding"];

export function again({ status, headers, body }: Reply): Response {
  const own = headers.filter(([name]) => !OF_THE_WAY.includes(name));
  return new Response(body, { status, headers: own.map(([name, value]): [string, string] => [name, value]) });
}

function untilAborted<Value>(work: Promise<Value>, signal: RequestInit["signal"]): Promise<Value> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) reject(signal.reason);
    else signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

/** A connection that breaks before any answer, as Bun's fetch reports it. */
export function connectionReset(): Promise<Response> {
  return Promise.reject(
    Object.assign(new Error("The socket connection was closed unexpectedly."), { code: "ECONNRESET" }),
  );
}

/** An answer that breaks off after these bytes: the connection ends, not just the text. */
export function brokenOff(start: string): Response {
  let pulls = 0;
  return new Response(
    new ReadableStream<Uint8Array>({
      pull(controller) {
        pulls += 1;
        if (pulls === 1) controller.enqueue(new TextEncoder().encode(start));
        else
          controller.error(
            Object.assign(new Error("The connection broke inside the body."), { code: "ECONNRESET" }),
          );
      },
    }),
    { headers: { "content-type": "application/json" } },
  );
}
