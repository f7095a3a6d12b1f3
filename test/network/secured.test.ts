/**
 * Calls over TLS on our own sockets, to real TLS servers on this machine: certificate checks, and servers that fail midway.
 * http-client.test.ts has everything else about such calls; test/upstream/connections.test.ts has the errors' messages.
 */
import { afterAll, afterEach, describe, expect, test } from "bun:test";
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket, type TlsOptions } from "node:tls";
import { createHttpClient } from "../../src/network/http-client";
import type { TlsInit } from "../../src/network/secured";
import { makeAuthority } from "../certificates";

const ours = makeAuthority();
const theirs = makeAuthority();
const good = ours.sign("server");
const closing: (() => void)[] = [];
afterEach(() => {
  for (const close of closing.splice(0)) close();
});
afterAll(() => {
  ours[Symbol.dispose]();
  theirs[Symbol.dispose]();
});

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

interface Server {
  readonly port: number;
  readonly url: string;
  /** Connections with a finished handshake, in order, with their requests. */
  readonly connections: { readonly socket: TLSSocket; asked: string; isReused: boolean }[];
}

/** @param answer null hangs up; otherwise what the server answers */
async function serve(
  options: TlsOptions,
  answer: string | null = OK,
  connected: (socket: TLSSocket) => void = () => undefined,
): Promise<Server> {
  const connections: Server["connections"] = [];
  const server = createServer(options, (socket) => {
    const one = { socket, asked: "", isReused: socket.isSessionReused() };
    connections.push(one);
    connected(socket);
    socket.on("error", () => undefined);
    socket.on("data", (chunk) => {
      one.asked += chunk.toString();
      if (answer === null) socket.destroy();
      else socket.write(answer);
    });
  });
  server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port }: Partial<AddressInfo> = Object(server.address());
  closing.push(() => {
    server.close();
    for (const { socket } of connections) socket.destroy();
  });
  return { port: port ?? 0, url: `https://localhost:${port}/`, connections };
}

function client() {
  let now = 0;
  const { send } = createHttpClient(
    () => Promise.reject(new Error("left to fetch")),
    () => now,
    {},
    () => new Promise((resolve) => setImmediate(() => setImmediate(resolve))),
    () => new Promise((resolve) => setImmediate(resolve)),
  );
  const call = (url: string, tls: TlsInit, init: RequestInit = {}) =>
    send(url, { method: "POST", redirect: "manual", body: "{}", ...init, tls });
  return {
    call,
    text: async (url: string, tls: TlsInit = trusting) =>
      new TextDecoder().decode(await (await call(url, tls)).arrayBuffer()),
    failure: (url: string, tls: TlsInit = trusting, init: RequestInit = {}): Promise<unknown> =>
      call(url, tls, init).then(
        () => "an answer",
        (cause) => cause,
      ),
    pass(ms: number) {
      now += ms;
    },
  };
}

/** As for a provider: the same object for all its calls. */
const trusting: TlsInit = { ca: ours.ca };

/** As many turns as needed. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

/** Until everything that was written has arrived. */
async function turns(): Promise<void> {
  for (let i = 0; i < 4; i++) await new Promise((resolve) => setImmediate(resolve));
}

describe("a call over TLS", () => {
  test("speaks HTTP/1.1, sends the server name (SNI), and reuses its connection", async () => {
    const server = await serve({ ...good, ALPNProtocols: ["h2", "http/1.1"] });
    const { text } = client();
    for (let i = 0; i < 3; i++) expect(await text(server.url)).toBe("ok");
    const [{ socket, asked } = { socket: undefined, asked: "" }, ...others] = server.connections;
    expect(others).toEqual([]);
    expect(socket?.alpnProtocol).toBe("http/1.1");
    expect(Reflect.get(Object(socket), "servername")).toBe("localhost");
    expect(asked.match(/POST \/ HTTP\/1\.1/g)).toHaveLength(3);
  });

  test("keeps as many connections as were in use at once", async () => {
    const server = await serve(good);
    const { text } = client();
    for (let i = 0; i < 2; i++) await Promise.all(Array.from({ length: 300 }, () => text(server.url)));
    expect(server.connections.length).toBe(300);
  });

  test("takes bodies that are larger than a socket's buffers, both ways", async () => {
    const listening = Bun.serve({
      port: 0,
      hostname: "localhost",
      tls: good,
      fetch: async (request) => new Response(await request.arrayBuffer()),
    });
    closing.push(() => void listening.stop(true));
    const body = new Uint8Array(20_000_000).map((_, i) => i % 251);
    const reply = await client().call(`https://localhost:${listening.port}/`, trusting, { body });
    expect(Buffer.compare(new Uint8Array(await reply.arrayBuffer()), body)).toBe(0);
  });

  test("a new connection resumes the session of an earlier one, for an hour", async () => {
    const server = await serve(good);
    const { text, pass } = client();
    const isReused = async () => {
      expect(await text(server.url)).toBe("ok");
      return server.connections.at(-1)?.isReused;
    };
    expect(await isReused()).toBe(false);
    pass(60_000);
    expect(await isReused()).toBe(true);
    pass(3_600_000);
    expect(await isReused()).toBe(false);
    expect(server.connections.length).toBe(3);
  });

  test("a session is not used for calls with other CA settings", async () => {
    const server = await serve(good);
    const { text, failure } = client();
    expect(await text(server.url)).toBe("ok");
    expect(await failure(server.url, { ca: theirs.ca })).toMatchObject({
      code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE",
    });
    expect(server.connections.length).toBe(1);
  });

  test.each([
    ["50 s", OK, 50_000],
    [
      "less where the server says so",
      OK.replace("OK\r\n", "OK\r\nKeep-Alive: timeout=5, max=100\r\n"),
      4_000,
    ],
  ])("an idle connection is used again for %s", async (_, answer, ms) => {
    const server = await serve(good, answer);
    const { text, pass } = client();
    await text(server.url);
    pass(ms);
    await text(server.url);
    expect(server.connections.length).toBe(1);
    pass(ms + 1);
    await text(server.url);
    expect(server.connections.length).toBe(2);
  });

  test("a connection that the server has closed is not used", async () => {
    const server = await serve(good);
    const { text } = client();
    await text(server.url);
    const [first] = server.connections;
    first?.socket.end();
    await until(() => first?.socket.destroyed === true);
    await turns();
    expect(await text(server.url)).toBe("ok");
    expect(server.connections.length).toBe(2);
  });

  test("an unsolicited reply is no answer", async () => {
    const server = await serve(good);
    const { text } = client();
    await text(server.url);
    server.connections[0]?.socket.write(OK.replace("ok", "no"));
    await turns();
    expect([await text(server.url), server.connections.length]).toEqual(["ok", 2]);
  });
});

describe("nothing is sent to a server", () => {
  test.each([
    ["for another name", ours.sign("other", { names: "DNS:elsewhere.test" }), "ERR_TLS_CERT_ALTNAME_INVALID"],
    ["of an unknown authority", theirs.sign("server"), "UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["that has expired", ours.sign("old", { days: -1 }), "CERT_HAS_EXPIRED"],
  ])("with a certificate %s", async (_, certificate, code) => {
    const asked: string[] = [];
    const server = await serve(certificate, OK, (socket) => {
      socket.on("data", (chunk) => asked.push(chunk.toString()));
    });
    expect(await client().failure(server.url)).toMatchObject({ code });
    expect(asked).toEqual([]);
  });

  test("whose certificate is for its name, if it is called by its address", async () => {
    const server = await serve(ours.sign("named", { names: "DNS:localhost" }));
    expect(await client().failure(`https://127.0.0.1:${server.port}/`)).toMatchObject({
      code: "ERR_TLS_CERT_ALTNAME_INVALID",
    });
    const both = await serve(good);
    expect(await client().text(`https://127.0.0.1:${both.port}/`)).toBe("ok");
  });

  test("whose certificate is from an unknown authority", async () => {
    const server = await serve(good);
    expect(await client().failure(server.url, {})).toMatchObject({ code: "UNABLE_TO_VERIFY_LEAF_SIGNATURE" });
    expect(server.connections.filter(({ asked }) => asked !== "")).toEqual([]);
  });

  test("that speaks no TLS", async () => {
    let words = "";
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data(socket, chunk) {
          words += chunk.toString("latin1");
          socket.write("HTTP/1.1 400 Bad Request\r\n\r\n");
        },
      },
    });
    closing.push(() => listener.stop(true));
    expect(await client().failure(`https://localhost:${listener.port}/`)).toMatchObject({ code: "EPROTO" });
    expect(words).not.toContain("POST");
  });

  test("that does not speak HTTP/1.1", async () => {
    const server = await serve({ ...good, ALPNProtocols: ["h2"] });
    const failure = await client().failure(server.url);
    expect(failure).toBeInstanceOf(Error);
    expect(server.connections.filter(({ asked }) => asked !== "")).toEqual([]);
  });

  test("that hangs up in the handshake", async () => {
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket) => void socket.end() },
    });
    closing.push(() => listener.stop(true));
    expect(await client().failure(`https://localhost:${listener.port}/`)).toMatchObject({
      code: "ECONNRESET",
    });
  });

  test("that stalls in the handshake: the call ends with its signal, and the connection with it", async () => {
    const seen = { isOpen: false, isClosed: false };
    const listener = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data() {
          seen.isOpen = true;
        },
        close() {
          seen.isClosed = true;
        },
      },
    });
    closing.push(() => listener.stop(true));
    const ending = new AbortController();
    const given = client().failure(`https://localhost:${listener.port}/`, trusting, {
      signal: ending.signal,
    });
    await until(() => seen.isOpen);
    const reason = new Error("enough");
    ending.abort(reason);
    expect(await given).toBe(reason);
    await until(() => seen.isClosed);
  });
});

describe("a server that fails later", () => {
  test("hangs up, or does so in the middle of its answer", async () => {
    const { failure } = client();
    expect(await failure((await serve(good, null)).url)).toMatchObject({ code: "ECONNRESET" });
    const server = await serve(good, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhal");
    const given = failure(server.url);
    await until(() => server.connections[0]?.asked !== undefined && server.connections[0].asked !== "");
    server.connections[0]?.socket.end();
    expect(await given).toMatchObject({ code: "ECONNRESET" });
  });

  test("refuses clients without a certificate, and accepts those with one", async () => {
    const server = await serve({ ...good, ca: ours.ca, requestCert: true, rejectUnauthorized: true });
    const { failure, text } = client();
    expect(await failure(server.url)).toMatchObject({ code: "EPROTO" });
    expect(await text(server.url, { ca: ours.ca, ...ours.sign("client") })).toBe("ok");
  });
});
