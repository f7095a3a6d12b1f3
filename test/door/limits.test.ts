/**
 * Excess is refused with an error, and never waited for: a header section, a body that trickles in, one request more than are allowed.
 * Limits of Bun's own server are tested against a listening process; bad-bodies.test.ts has the size and depth of a body.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { Value } from "@sinclair/typebox/value";
import { ErrorResponse } from "../../src/dialects/openai-schema";
import { fakeOutside } from "../fake-outside";
import { FAKE_YAML, openGateway, type Sent } from "../gateway";
import { type Child, startServing, temporaryFolder } from "../serving";

function expectRefusal(sent: Pick<Sent, "status" | "json">, status: number, code: string): void {
  expect(Value.Check(ErrorResponse, sent.json)).toBe(true);
  expect(sent).toMatchObject({ status, json: { error: { code } } });
}

describe("a listening gateway", () => {
  const folder = temporaryFolder({ "gateway.yaml": `server: { deadline_ms: 400 }\n${FAKE_YAML}` });
  let child: Child;
  beforeAll(async () => {
    child = await startServing(folder.path);
  });
  afterAll(async () => {
    await child[Symbol.asyncDispose]();
    folder[Symbol.dispose]();
  });

  async function get(path: string, headers: Record<string, string> = {}) {
    const response = await fetch(`${child.url}${path}`, { headers });
    const text = await response.text();
    return { status: response.status, json: text === "" ? undefined : JSON.parse(text) };
  }

  /** Everything that comes back for these bytes, until the gateway closes the connection or has sent `enough`. */
  function exchange(bytes: string, enough?: RegExp): Promise<string> {
    return new Promise((resolve, reject) => {
      let got = "";
      const socket = connect(child.port, "127.0.0.1", () => socket.write(bytes));
      socket.on("error", reject);
      socket.on("close", () => resolve(got));
      socket.on("data", (chunk) => {
        got += chunk;
        if (enough?.test(got)) socket.destroy();
      });
    });
  }

  test("accepts headers of 15 KB, and refuses 17 KB with the reason", async () => {
    expect((await get("/v1/models", { "x-long": "a".repeat(15_000) })).status).toBe(200);
    expectRefusal(await get("/v1/models", { "x-long": "a".repeat(17_000) }), 431, "headers_too_large");
    expectRefusal(await get(`/v1/models?${"a".repeat(17_000)}`), 431, "headers_too_large");
  });

  test("ends a connection whose header section never ends with 431, without waiting for more", async () => {
    const got = await exchange(
      `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-long: ${"a".repeat(1_000_000)}`,
    );
    expect(got).toStartWith("HTTP/1.1 431 ");
  });

  test("ends invalid HTTP with 400", async () => {
    expect(await exchange("hello\r\n\r\n")).toStartWith("HTTP/1.1 400 ");
    expect(await exchange("GET / HTTP/2.0\r\n\r\n")).toStartWith("HTTP/1.1 ");
  });

  test.each([
    ["with its length", "content-length: 1000\r\n\r\n", '{"model": "fake", '],
    ["in chunks", "transfer-encoding: chunked\r\n\r\n", '5\r\n{"mod\r\n'],
    ["of which nothing comes", "content-length: 1000\r\n\r\n", ""],
    ["packed", "content-length: 1000\r\ncontent-encoding: gzip\r\n\r\n", "\u001f"],
  ])("answers 408 to a body %s that never comes to its end", async (_, rest, start) => {
    const head = `POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${rest}`;
    // Until the gateway closes: what would still come is not a request.
    const got = await exchange(head + start);
    expect(got).toStartWith("HTTP/1.1 408 ");
    expect(got).toMatch(/^connection: close\r$/im);
    const json: unknown = JSON.parse(got.slice(got.indexOf("\r\n\r\n") + 4));
    expectRefusal({ status: 408, json }, 408, "request_timeout");
  });

  // Bun closes such a connection (oven-sh/bun#38128): nobody gets another's answer, and GETs that are answered at once are answered in order.
  test("answers pipelined requests in order, or closes", async () => {
    const get = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`;
    const got = await exchange(get("/healthz") + get("/nowhere") + get("/healthz"), /"ok"[\s\S]*"ok"/);
    expect([...got.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status)).toEqual(["200", "404", "200"]);
    const body = JSON.stringify({ model: "fake-slow", input: "a" });
    const post = `POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${body.length}\r\n\r\n${body}`;
    expect(await exchange(post + post)).toBe("");
  });

  test("continues to serve after all that", async () => {
    expect((await get("/v1/models")).status).toBe(200);
  });
});

describe("a body that trickles in", () => {
  const dripping = () =>
    new ReadableStream<Uint8Array>({ start: (body) => body.enqueue(new TextEncoder().encode('{"model"')) });

  test("is given up at the request's deadline, with 408 and a row", async () => {
    const clock = fakeOutside();
    await using open = await openGateway({
      yaml: `${FAKE_YAML}server: { deadline_ms: 5000 }`,
      outside: clock.outside,
    });
    const sent = open.send("/v1/embeddings", { method: "POST", body: dripping() });
    await clock.advance(4_999);
    expect(clock.sleeping()).not.toEqual([]);
    await clock.advance(1);
    expectRefusal(await sent, 408, "request_timeout");
    expect(clock.sleeping()).toEqual([]);
    expect(open.gateway.underWay.count()).toBe(0);
    expect(await open.gateway.ledger.usage(0, "model")).toMatchObject([
      { group: "", requests: 1n, failed: 1n },
    ]);
  });

  test("is given up when its client disconnects", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    const gone = new AbortController();
    const sent = open.send("/v1/embeddings", { method: "POST", body: dripping(), signal: gone.signal });
    gone.abort();
    expect((await sent).status).toBe(499);
    expect(open.gateway.underWay.count()).toBe(0);
  });
});

describe("requests in flight", () => {
  const yaml = `
server: { max_concurrent_requests: 2 }
space_probe: false
providers: { wire: { plugin: openai, base_url: "http://upstream/v1" } }
models: { m: { routes: [ { provider: wire } ] } }
`;

  test("are limited: the next one is told to come back, and is accepted once one has finished", async () => {
    const calls: (() => void)[] = [];
    const bothCalled = Promise.withResolvers<void>();
    const fetch = () =>
      new Promise<Response>((resolve) => {
        calls.push(() => resolve(Response.json({ data: [{ index: 0, embedding: [0.6, 0.8] }] })));
        if (calls.length === 2) bothCalled.resolve();
      });
    await using open = await openGateway({ yaml, outside: { fetch } });
    const ask = (input: string) => open.post({ model: "m", input });
    const first = ask("a");
    const second = ask("b");
    await bothCalled.promise;
    const third = await ask("c");
    expectRefusal(third, 503, "overloaded");
    expect(third.headers.get("retry-after")).toBe("1");
    // Other work with a body needs a place too; reads do not.
    const tokenized = {
      method: "POST",
      body: '{"inputs": "a"}',
      headers: { "content-type": "application/json" },
    };
    expect(await open.send("/tei/m/tokenize", tokenized)).toMatchObject({
      status: 503,
      json: { error_type: "overloaded" },
    });
    expect((await open.send("/v1/models")).status).toBe(200);
    for (const answer of calls) answer();
    expect([(await first).status, (await second).status]).toEqual([200, 200]);
    const fourth = ask("d");
    while (calls.length < 3) await new Promise(setImmediate);
    calls[2]?.();
    expect((await fourth).status).toBe(200);
  });

  test("are no longer accepted at shutdown, for clients that keep their connection", async () => {
    await using open = await openGateway({ yaml });
    await open.gateway.underWay.end();
    const sent = await open.post({ model: "m", input: "a" });
    expectRefusal(sent, 503, "overloaded");
    expect([sent.headers.get("retry-after"), sent.headers.get("connection")]).toEqual(["1", "close"]);
  });

  test("are counted down whatever happened to them", async () => {
    await using open = await openGateway({ yaml });
    for (const body of ["{", { model: "none", input: "a" }, { model: "m", input: "" }]) await open.post(body);
    expect(open.gateway.underWay.count()).toBe(0);
    expect((await open.post("{")).status).toBe(400);
  });
});

test.skipIf(process.platform !== "linux")(
  "connections for which there is no file descriptor are told of and let go, and the next ones are taken once there are some",
  async () => {
    using folder = temporaryFolder({ "gateway.yaml": FAKE_YAML });
    const byFew = ["sh", "-c", 'ulimit -n 80; exec "$@"', "sh"];
    await using child = await startServing(folder.path, byFew);
    // One that was released was not taken: otherwise the event loop would be notified of it again and again.
    const letGo = Promise.withResolvers<void>();
    const sockets = Array.from({ length: 200 }, () => {
      const socket = connect(child.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.on("close", () => letGo.resolve());
      return socket;
    });
    await child.logged("limit of open files reached");
    await letGo.promise;
    for (const socket of sockets) socket.destroy();
    await child.logged("below the limit again");
    const metrics = await (await fetch(`${child.url}/metrics`)).text();
    expect(metrics).toMatch(/^embedgate_file_descriptors_used_up_total 1$/m);
  },
);
