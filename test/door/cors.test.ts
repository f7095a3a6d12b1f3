/**
 * Web pages: those of the routing file's origins may call with a key, and read errors too; no others, and none while no key is needed.
 */
import { describe, expect, test } from "bun:test";
import { FAKE_YAML, type OpenGateway, openGateway } from "../gateway";

const PAGE = "https://app.example.com";
const YAML = `${FAKE_YAML}\nserver: { cors: { origins: ["https://App.example.com", "http://localhost:5173"] } }`;
const ANY = `${FAKE_YAML}\nserver: { cors: { origins: ["*"] } }`;

const preflight = (open: OpenGateway, path: string, origin = PAGE, more: Record<string, string> = {}) =>
  open.send(path, {
    method: "OPTIONS",
    headers: {
      origin,
      "access-control-request-method": "POST",
      "access-control-request-headers": "authorization,content-type,x-stainless-lang",
      ...more,
    },
  });

const allowed = ({ headers }: { headers: Headers }) => headers.get("access-control-allow-origin");

describe("a page that may call", () => {
  test.each(["/v1/embeddings", "/api/embed", "/tei/fake/embed", "/embeddings", "/v1/models"])(
    "%s: the preflight allows what was asked for",
    async (path) => {
      await using open = await openGateway({ yaml: YAML });
      await open.gateway.keys.create("k", "default");
      const sent = await preflight(open, path);
      expect([sent.status, sent.text, allowed(sent)]).toEqual([204, "", PAGE]);
      expect(sent.headers.get("access-control-allow-headers")).toBe(
        "authorization,content-type,x-stainless-lang",
      );
      expect(sent.headers.get("access-control-allow-methods")).toContain("POST");
      expect(sent.headers.get("vary")).toContain("origin");
      expect(sent.headers.get("access-control-allow-private-network")).toBeNull();
    },
  );

  test("a preflight from the internet to this machine", async () => {
    await using open = await openGateway({ yaml: YAML });
    const sent = await preflight(open, "/v1/embeddings", PAGE, {
      "access-control-request-private-network": "true",
    });
    expect(sent.headers.get("access-control-allow-private-network")).toBe("true");
  });

  test("answers and errors can be read", async () => {
    await using open = await openGateway({ yaml: YAML });
    const { key } = await open.gateway.keys.create("k", "default");
    const headers = { origin: PAGE, authorization: `Bearer ${key}` };
    const sent = [
      await open.post({ model: "fake", input: "a" }, headers),
      await open.post({ model: "nope", input: "a" }, headers),
      await open.post({ model: "fake", input: "a" }, { origin: PAGE }),
      await open.send("/nowhere", { headers }),
      await open.send("/v1/embeddings", { headers }),
    ];
    expect(sent.map(({ status }) => status)).toEqual([200, 404, 401, 404, 405]);
    for (const one of sent) {
      expect([allowed(one), one.headers.get("access-control-expose-headers")]).toEqual([PAGE, "*"]);
      expect(one.headers.get("vary")).toBe("origin");
    }
  });

  test("any page, if the file says so", async () => {
    await using open = await openGateway({ yaml: ANY });
    expect(allowed(await preflight(open, "/v1/embeddings", "https://other.example"))).toBe(
      "https://other.example",
    );
  });
});

describe("nobody else", () => {
  test.each([
    "https://evil.example",
    "null",
    "https://app.example.com.evil.example",
    "http://app.example.com",
  ])("%s", async (origin) => {
    await using open = await openGateway({ yaml: YAML });
    const { key } = await open.gateway.keys.create("k", "default");
    expect(await preflight(open, "/v1/embeddings", origin)).toMatchObject({ status: 405 });
    const sent = await open.post({ model: "fake", input: "a" }, { origin, authorization: `Bearer ${key}` });
    expect([allowed(sent), sent.headers.get("vary")]).toEqual([null, "origin"]);
  });

  test("without `cors` no answer mentions it", async () => {
    await using open = await openGateway({ yaml: FAKE_YAML });
    await open.gateway.keys.create("k", "default");
    expect((await preflight(open, "/v1/embeddings")).status).toBe(405);
    const sent = await open.send("/healthz", { headers: { origin: PAGE } });
    expect([...sent.headers.keys()].filter((name) => /^(access-control|vary)/.test(name))).toEqual([]);
  });

  test.each([
    ["its own origins", YAML],
    ["any", ANY],
  ])("while no key is needed, %s: the page is told why it is refused", async (_, yaml) => {
    await using open = await openGateway({ yaml });
    const sent = await open.post({ model: "fake", input: "a" }, { origin: PAGE });
    expect([sent.status, allowed(sent)]).toEqual([403, PAGE]);
    expect(sent.text).toContain("Create a key");
  });

  test.each(["https://app.example.com/", "https://app.example.com/page", "app.example.com", ""])(
    "the routing file's %p is no origin",
    async (origin) => {
      const yaml = `${FAKE_YAML}\nserver: { cors: { origins: ["${origin}"] } }`;
      await expect(openGateway({ yaml })).rejects.toThrow("origins");
    },
  );
});
