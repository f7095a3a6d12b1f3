/**
 * Connections to providers and to a token issuer: which certificates are trusted, which client certificate is sent, which proxy is used.
 * Real TLS on loopback, with the test's own certificate authority.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { makeKey, tokenBy } from "../callers/issuer";
import { makeAuthority, type Signed } from "../certificates";
import { openGateway } from "../gateway";
import { vectorOf } from "../serving";

const ours = makeAuthority();
const theirs = makeAuthority();
const server = ours.sign("server");
const client = ours.sign("client");
const foreign = theirs.sign("client");
const stopping = new AbortController();
afterAll(() => {
  stopping.abort();
  ours[Symbol.dispose]();
  theirs[Symbol.dispose]();
});

/** A provider over TLS; with `clients` it accepts only clients with a certificate of that authority. */
function provider(
  { cert, key }: Signed,
  { clients, hostname = "localhost" }: { clients?: string; hostname?: string } = {},
) {
  let calls = 0;
  const mutual = clients === undefined ? {} : { ca: clients, requestCert: true, rejectUnauthorized: true };
  const listening = Bun.serve({
    port: 0,
    hostname,
    tls: { cert, key, ...mutual },
    async fetch(request) {
      calls += 1;
      if (new URL(request.url).pathname === "/jwks.json") return Response.json({ keys: [KEY.jwk] });
      const { input }: { input: string[] } = await request.json();
      return Response.json({
        data: input.map((text, index) => ({ index, embedding: vectorOf(text) })),
        usage: { prompt_tokens: input.length },
      });
    },
  });
  stopping.signal.addEventListener("abort", () => void listening.stop(true));
  return { port: listening.port ?? 0, url: `https://${hostname}:${listening.port}`, calls: () => calls };
}

const KEY = makeKey("one");

async function embed(url: string, settings: Readonly<Record<string, string>>) {
  const given = { plugin: "openai", base_url: `${url}/v1`, retries: 2, ...settings };
  await using open = await openGateway({
    yaml: JSON.stringify({
      space_probe: false,
      providers: { wire: given },
      models: { m: { routes: [{ provider: "wire" }] } },
    }),
  });
  const { status, text } = await open.post({ model: "m", input: "a" });
  return { status, text };
}

describe("a provider's certificate", () => {
  test("of a private authority is trusted if 'ca' says so", async () => {
    const { url } = provider(server);
    expect((await embed(url, { ca: ours.ca })).status).toBe(200);
    expect((await embed(url, { ca: `${theirs.ca}${ours.ca}` })).status).toBe(200);
  });

  test.each([
    ["of an unknown authority", () => provider(server), {}, "set 'ca' of the provider"],
    ["of another authority than 'ca'", () => provider(server), { ca: theirs.ca }, "set 'ca' of the provider"],
    [
      "for another name",
      () => provider(server, { hostname: "127.0.0.2" }),
      { ca: ours.ca },
      "It is for another name than 127.0.0.2",
    ],
    ["that has expired", () => provider(ours.sign("old", { days: -1 })), { ca: ours.ca }, "It has expired"],
  ])(
    "%s is not trusted, which is told with its setting, and not tried again",
    async (_, start, settings, words) => {
      const { url, calls } = start();
      const { status, text } = await embed(url, settings);
      expect(status).toBe(503);
      expect(text).toContain(`Certificate not trusted: ${new URL(url).host} (`);
      expect(text).toContain(words);
      expect(calls()).toBe(0);
    },
  );
});

describe("a provider that requires a client certificate", () => {
  const mine = { client_cert: client.cert, client_key: client.key };

  test("gets the configured one", async () => {
    const { url } = provider(server, { clients: ours.ca });
    expect((await embed(url, { ca: ours.ca, ...mine })).status).toBe(200);
  });

  test("refuses none, and one of another authority", async () => {
    const { url, calls } = provider(server, { clients: ours.ca });
    expect(
      (await embed(url, { ca: ours.ca, client_cert: foreign.cert, client_key: foreign.key })).status,
    ).toBe(503);
    expect(await embed(url, { ca: ours.ca })).toEqual({
      status: 503,
      text: expect.stringContaining("client_cert"),
    });
    expect(calls()).toBe(0);
  });
});

test("two providers at one URL each use their own", async () => {
  const { url } = provider(server, { clients: ours.ca });
  const shared = { plugin: "openai", base_url: `${url}/v1`, retries: 0, ca: ours.ca };
  await using open = await openGateway({
    yaml: JSON.stringify({
      space_probe: false,
      providers: { right: { ...shared, client_cert: client.cert, client_key: client.key }, wrong: shared },
      models: { r: { routes: [{ provider: "right" }] }, w: { routes: [{ provider: "wrong" }] } },
    }),
  });
  for (let i = 0; i < 3; i++) {
    expect((await open.post({ model: "r", input: `${i}` })).status).toBe(200);
    expect((await open.post({ model: "w", input: `${i}` })).status).toBe(503);
  }
});

/** A proxy that records what it is asked for. */
async function proxy() {
  const asked: string[] = [];
  const listening = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers["proxy-authorization"] ?? ""}`.trim());
    response.setHeader("content-type", "application/json");
    response.end(
      JSON.stringify({ data: [{ index: 0, embedding: vectorOf("a") }], usage: { prompt_tokens: 1 } }),
    );
  });
  listening.on("connect", (request, socket) => {
    asked.push(`CONNECT ${request.url} ${request.headers["proxy-authorization"] ?? ""}`.trim());
    const [host = "", port] = (request.url ?? "").split(":");
    const onward = connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      onward.pipe(socket);
      socket.pipe(onward);
    });
    onward.on("error", () => socket.destroy());
    socket.on("error", () => onward.destroy());
  });
  await new Promise<void>((resolve) => listening.listen(0, "127.0.0.1", resolve));
  const { port }: Partial<AddressInfo> = Object(listening.address());
  stopping.signal.addEventListener("abort", () => void listening.close());
  return { asked, at: (who = "") => `http://${who}127.0.0.1:${port}` };
}

describe("a provider's proxy", () => {
  test("is used for calls over TLS, which stays between the gateway and the provider", async () => {
    const { url, port } = provider(server);
    const { asked, at } = await proxy();
    expect((await embed(url, { ca: ours.ca, proxy: at("me:secret@") })).status).toBe(200);
    expect(asked).toEqual([`CONNECT localhost:${port} Basic ${btoa("me:secret")}`]);
  });

  test("is used for calls without TLS", async () => {
    const { asked, at } = await proxy();
    expect((await embed("http://embeddings.internal", { proxy: at() })).status).toBe(200);
    expect(asked).toEqual(["POST http://embeddings.internal/v1/embeddings"]);
  });

  test("that is down is reported without its password", async () => {
    const { status, text } = await embed("https://embeddings.internal", {
      proxy: "http://me:secret@127.0.0.1:1",
    });
    expect(status).toBe(503);
    expect(text).not.toContain("secret");
  });
});

describe("an issuer's keys", () => {
  const yaml = (url: string, settings: object) =>
    JSON.stringify({
      auth: { jwt: { jwks_url: `${url}/jwks.json`, create_workspaces: true, ...settings } },
      providers: { fake: { plugin: "fake" } },
      models: { "fake-8": { routes: [{ provider: "fake" }] } },
    });
  const claims = { exp: Math.floor(Date.now() / 1000) + 600 };
  const ask = (open: Awaited<ReturnType<typeof openGateway>>) =>
    open.post({ model: "fake-8", input: "a" }, { authorization: `Bearer ${tokenBy(KEY, { claims })}` });

  test("are fetched with ca, client_cert and client_key", async () => {
    const { url } = provider(server, { clients: ours.ca });
    const settings = { ca: ours.ca, client_cert: client.cert, client_key: client.key };
    await using open = await openGateway({ yaml: yaml(url, settings) });
    expect((await ask(open)).status).toBe(200);
  });

  test("from an untrusted server are reported in the log, with the setting to change", async () => {
    const { url } = provider(server);
    await using open = await openGateway({ yaml: yaml(url, {}) });
    expect((await ask(open)).status).toBe(503);
    const told = open.logs.map(({ about }) => JSON.stringify(about)).join();
    expect(told).toContain(`Certificate not trusted: ${new URL(url).host}`);
    expect(told).toContain("set 'ca' of auth.jwt");
  });
});
