/** Calls to real sockets on this machine: the same results as `fetch`, and what is left to `fetch`. https.test.ts has TLS. */
import { afterEach, describe, expect, test } from "bun:test";
import type { Socket, TCPSocketListener } from "bun";
import { createHttpClient } from "../../src/network/http-client";

interface Peer {
  readonly url: string;
  readonly requests: string[];
  connections(): number;
  closeAll(): void;
  /** Sends something to everybody who is connected, without a request. */
  say(words: string): void;
}

const listeners: TCPSocketListener<undefined>[] = [];
afterEach(() => {
  for (const listener of listeners.splice(0)) listener.stop(true);
});

/** A server that answers the nth request with the nth text, and the last one again and again. "" sends nothing, undefined hangs up. */
function peer(...answers: readonly (string | undefined)[]): Peer {
  const requests: string[] = [];
  const sockets = new Set<Socket<undefined>>();
  let count = 0;
  const listener = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        count += 1;
        sockets.add(socket);
      },
      data(socket, chunk) {
        requests.push(chunk.toString());
        const answer = requests.length > answers.length ? answers.at(-1) : answers[requests.length - 1];
        if (answer === undefined) socket.end();
        else socket.write(answer);
      },
      close: (socket) => void sockets.delete(socket),
    },
  });
  listeners.push(listener);
  return {
    url: `http://127.0.0.1:${listener.port}/v1/embeddings?a=b`,
    requests,
    connections: () => count,
    closeAll() {
      for (const socket of sockets) socket.end();
    },
    say(words) {
      for (const socket of sockets) socket.write(words);
    },
  };
}

const OK = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\nok";

function client(environment: Record<string, string> = {}) {
  let now = 0;
  let polls = 0;
  const properly: string[] = [];
  const { send } = createHttpClient(
    async (url) => {
      properly.push(url);
      return new Response("by fetch");
    },
    () => now,
    environment,
    () => {
      polls += 1;
      return new Promise((resolve) => setImmediate(() => setImmediate(resolve)));
    },
    () => new Promise((resolve) => setImmediate(resolve)),
  );
  const call = (url: string, init: RequestInit = {}) =>
    send(url, { method: "POST", redirect: "manual", body: "{}", ...init });
  return {
    properly,
    call,
    polls: () => polls,
    async text(url: string, init: RequestInit = {}) {
      return new TextDecoder().decode(await (await call(url, init)).arrayBuffer());
    },
    pass(ms: number) {
      now += ms;
    },
  };
}

describe("a call without TLS", () => {
  test("sends a request with its headers and its body's bytes, and reads the reply", async () => {
    const server = peer(OK);
    const { call } = client();
    const reply = await call(server.url, { headers: { "X-Key": "k", Host: "elsewhere" }, body: "grüße" });
    expect([
      reply.status,
      reply.headers.get("content-type"),
      Buffer.from(await reply.arrayBuffer()).toString(),
    ]).toEqual([200, "application/json", "ok"]);
    expect(await new Response(reply.body).text()).toBe("ok");
    const { host } = new URL(server.url);
    expect(server.requests).toEqual([
      `POST /v1/embeddings?a=b HTTP/1.1\r\nhost: ${host}\r\nx-key: k\r\nuser-agent: embedgate\r\ncontent-length: 7\r\n\r\ngrüße`,
    ]);
  });

  test("sends each call's own headers, however alike they are to those of an earlier one", async () => {
    const server = peer(OK);
    const { text, call } = client();
    const own = (request: string | undefined) =>
      request?.split("\r\n").filter((line) => line.startsWith("x-"));
    const sets: Record<string, string>[] = [
      { "x-a": "1", "x-b": "2" },
      { "x-a": "1", "x-b": "3" },
      { "x-a": "1 x-b2" },
      { "x-a": "1", "x-b": "2" },
    ];
    for (const headers of sets) await text(server.url, { headers });
    expect(server.requests.map(own)).toEqual([
      ["x-a: 1", "x-b: 2"],
      ["x-a: 1", "x-b: 3"],
      ["x-a: 1 x-b2"],
      ["x-a: 1", "x-b: 2"],
    ]);
    const injected = async () => call(server.url, { headers: { "x-a": "1\r\nx-b: 2" } });
    await expect(injected()).rejects.toThrow(TypeError);
    await expect(injected()).rejects.toThrow(TypeError);
    expect(server.requests).toHaveLength(4);
  });

  test("one after another reuse a connection, parallel ones do not", async () => {
    const server = peer(OK);
    const { text } = client();
    for (let i = 0; i < 3; i++) expect(await text(server.url)).toBe("ok");
    expect(server.connections()).toBe(1);
    await Promise.all([text(server.url), text(server.url), text(server.url)]);
    expect(server.connections()).toBe(3);
  });

  test("uses no connection that has been idle for long, or that was closed", async () => {
    const server = peer(OK);
    const { text, pass } = client();
    await text(server.url);
    pass(4_001);
    await text(server.url);
    expect(server.connections()).toBe(2);
    server.closeAll();
    // The end arrives as an event of its own; a call before it would see the connection break.
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    await text(server.url).catch(() => undefined);
    expect(await text(server.url)).toBe("ok");
    expect(server.connections()).toBe(3);
  });

  test("decompresses compressed replies", async () => {
    const packed = Buffer.from(Bun.gzipSync(Buffer.from("packed")));
    const listener = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: () => new Response(packed, { headers: { "content-encoding": "gzip" } }),
    });
    try {
      expect(await client().text(`http://127.0.0.1:${listener.port}/`)).toBe("packed");
    } finally {
      await listener.stop(true);
    }
  });

  test("takes bodies that are larger than a socket's buffers, both ways", async () => {
    const listener = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      fetch: async (request) => new Response(await request.arrayBuffer()),
    });
    try {
      const body = new Uint8Array(20_000_000).map((_, i) => i % 251);
      const reply = await client().call(`http://127.0.0.1:${listener.port}/`, { body });
      expect(Buffer.compare(new Uint8Array(await reply.arrayBuffer()), body)).toBe(0);
    } finally {
      await listener.stop(true);
    }
  });

  test.each([
    ["hangs up", undefined, "ECONNRESET"],
    ["hangs up in the middle of its reply", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal", "ECONNRESET"],
  ])("of a server that %s fails with a code", async (_, answer, code) => {
    const server = peer(answer);
    const failing = client().call(server.url);
    if (answer !== undefined) {
      while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
      server.closeAll();
    }
    expect(await failing.catch((cause) => cause)).toMatchObject({ code });
  });

  test("with a large reply lets others run between its parts, and each reply has its own bytes", async () => {
    const size = 6_000_000;
    const bodies = ["a", "b", "c"].map((letter) => letter.repeat(size));
    const listener = Bun.serve({
      hostname: "127.0.0.1",
      port: 0,
      fetch: async (request) => new Response(bodies[Number(await request.text())]),
    });
    let slices = 0;
    const { send } = createHttpClient(
      () => Promise.reject(new Error("left to fetch")),
      () => 0,
      {},
      () => new Promise((resolve) => setImmediate(() => setImmediate(resolve))),
      () => {
        slices += 1;
        return new Promise((resolve) => setImmediate(resolve));
      },
    );
    const ask = async (body: string) => {
      const init = { method: "POST", redirect: "manual", body } as const;
      const { whole } = await send(`http://127.0.0.1:${listener.port}/`, init);
      return new TextDecoder().decode(whole) === bodies[Number(body)];
    };
    expect(await Promise.all(["0", "1", "2"].map(ask))).toEqual([true, true, true]);
    expect(await ask("1")).toBe(true);
    // Some 400 KB each, or what Bun passes on at once.
    expect(slices).toBeGreaterThan(4 * 5);
    await listener.stop(true);
  });

  test("to a closed port fails with a code", async () => {
    const server = peer(OK);
    for (const listener of listeners.splice(0)) listener.stop(true);
    expect(
      await client()
        .call(server.url)
        .catch((cause) => cause),
    ).toMatchObject({ code: "ECONNREFUSED" });
  });

  test("ends with its signal's reason, and its connection is not used again", async () => {
    const server = peer("", OK);
    const { call, text } = client();
    const ending = new AbortController();
    const given = call(server.url, { signal: ending.signal }).catch((cause) => cause);
    while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const reason = new Error("enough");
    ending.abort(reason);
    expect(await given).toBe(reason);
    expect(await call(server.url, { signal: AbortSignal.abort(reason) }).catch((cause) => cause)).toBe(
      reason,
    );
    expect(await text(server.url)).toBe("ok");
    expect(server.requests.length).toBe(2);
  });

  test("does not let a header inject a second one", async () => {
    const server = peer(OK);
    const { call } = client();
    expect(async () => call(server.url, { headers: { a: "b\r\nc: d" } })).toThrow();
    expect(server.requests).toEqual([]);
  });

  test("an unsolicited reply ends the connection, and is nobody's answer", async () => {
    const server = peer(`${OK}${OK.replace("ok", "no")}`, OK);
    const { text } = client();
    expect([await text(server.url), await text(server.url)]).toEqual(["ok", "ok"]);
    expect(server.connections()).toBe(2);
  });
});

describe("a reply that came before its request", () => {
  const FORGED = OK.replace("ok", "no");

  test("ends a connection that was to be reused, even though nobody has read it yet", async () => {
    const server = peer(OK);
    const { text } = client();
    expect(await text(server.url)).toBe("ok");
    // It is in the system's buffer when the next call looks for a connection.
    server.say(FORGED);
    expect(await text(server.url)).toBe("ok");
    expect([server.connections(), server.requests.length]).toEqual([2, 2]);
  });

  test("is not an answer if several calls reuse connections at once", async () => {
    const server = peer(OK);
    const { text } = client();
    await Promise.all([text(server.url), text(server.url), text(server.url)]);
    server.say(FORGED.slice(0, 20));
    expect(await Promise.all([text(server.url), text(server.url), text(server.url)])).toEqual([
      "ok",
      "ok",
      "ok",
    ]);
    expect(server.connections()).toBe(6);
  });

  test("does not affect a connection that is silent", async () => {
    const server = peer(OK);
    const { text, polls } = client();
    for (let i = 0; i < 5; i++) await text(server.url);
    expect(server.connections()).toBe(1);
    // A silent connection is used at once; before the first request it was new.
    if (process.platform === "linux") expect(polls()).toBe(1);
  });

  test("is not an answer on a new connection either", async () => {
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { open: (socket) => void socket.write(FORGED), data: () => undefined },
    });
    try {
      const failing = client().call(`http://127.0.0.1:${listener.port}/`);
      expect(await failing.catch((cause) => cause)).toMatchObject({ code: "ECONNRESET" });
    } finally {
      listener.stop(true);
    }
  });
});

describe("left to fetch", () => {
  test.each([
    ["another protocol", "ftp://example.test/", {}, {}],
    ["TLS by way of a proxy", "https://example.test/", {}, { HTTPS_PROXY: "http://proxy.test" }],
    ["a name and a password in the address", "http://me:secret@example.test/", {}, {}],
    ["TLS that checks nothing", "https://example.test/", {}, { NODE_TLS_REJECT_UNAUTHORIZED: "0" }],
    ["other methods", "http://example.test/", { method: "GET", body: undefined }, {}],
    ["redirects that are to be followed", "http://example.test/", { redirect: "follow" as const }, {}],
    ["a body that is a stream", "http://example.test/", { body: new ReadableStream() }, {}],
    ["a proxy", "http://example.test/", {}, { HTTP_PROXY: "http://proxy.test" }],
    ["a proxy for all", "http://example.test/", {}, { ALL_PROXY: "http://proxy.test" }],
    [
      "a proxy of its own",
      "http://example.test/",
      { redirect: "manual" as const, proxy: "http://proxy.test" },
      {},
    ],
  ])("is %s", async (_, url, init, environment) => {
    const { properly, text } = client(environment);
    expect(await text(url, init)).toBe("by fetch");
    expect(properly).toEqual([url]);
  });
});
