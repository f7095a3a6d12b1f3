/**
 * The network that a plugin under test sees: it records each request, obeys signals and follows redirects as `fetch` does.
 * What a test wants answered instead of the vendor's own word it sets with `answer`.
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
  /** From now on every request is answered so; undefined: by the vendor again. */
  answer(reply: Answer | undefined): void;
}

export type Answer = (request: SentRequest) => Response | Promise<Response>;
type Fetch = Network["fetch"];

/** @param vendor what answers; left out, every request is an error: the plugin is one that needs no network. */
export function createNetwork(vendor?: Fetch): Network {
  const requests: SentRequest[] = [];
  let answer: Answer | undefined;

  async function respond(url: string, init: RequestInit): Promise<Response> {
    const sent = {
      url,
      method: init.method ?? "GET",
      headers: new Headers(init.headers),
      body: await new Response(init.body).text(),
    };
    requests.push(sent);
    const reply = answer ?? (vendor && (() => vendor(url, { ...init, body: sent.body })));
    if (reply === undefined) throw new Error(`This plugin was to use no network, but asked ${url}`);
    const response = await reply(sent);
    const location = response.headers.get("location");
    if (response.status < 300 || response.status >= 400 || location === null) return response;
    if (init.redirect === "manual") return response;
    if (init.redirect === "error") throw new TypeError("A redirect was answered.");
    return respond(new URL(location, url).href, init);
  }

  return {
    requests,
    fetch: (url, init) => untilAborted(respond(url, init), init.signal),
    answer(reply) {
      answer = reply;
    },
  };
}

function untilAborted<Value>(work: Promise<Value>, signal: RequestInit["signal"]): Promise<Value> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    signal?.addEventListener("abort", () => reject(signal.reason), { once: true });
    work.then(resolve, reject);
  });
}

/** A connection that breaks before any answer, as Bun's fetch tells it. */
export function connectionReset(): Promise<Response> {
  return Promise.reject(
    Object.assign(new Error("The socket connection was closed unexpectedly."), { code: "ECONNRESET" }),
  );
}

/** An answer that breaks off after these bytes: the connection, not just the text, ends. */
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
