/**
 * A server whose API may be at /v1/embeddings or at /embeddings is found when the gateway starts, without sending a text, and the log says where.
 * A server's answer at another path, or to a call without a text, is a row of SERVERS, with its version.
 */
import { describe, expect, test } from "bun:test";
import { PLUGINS } from "../../plugins/index";
import { loadConfig } from "../../src/config/load";
import { realOutside } from "../../src/network/real-outside";
import { createHost } from "../../src/upstream/host";
import { type OpenGateway, openGateway } from "../gateway";
import { quiet } from "../request/vendor";

const yaml = (plugin: string, more = "") => `
providers: { a: { plugin: ${plugin}, base_url: "http://a:7997"${more}, retries: 0 } }
space_probe: false
models: { m: { routes: [ { provider: a } ], dimensions: 2, price: 0 } }
`;

interface Server {
  /** The one path that it has. */
  path: string;
  missing: () => Response;
  /** The answer to a call without a text. */
  empty: () => Response;
  isDown: boolean;
}

const detail = (status: number, said: string) => Response.json({ detail: said }, { status });
const infinity = (): Server => ({
  path: "/embeddings",
  missing: () => detail(404, "Not Found"),
  empty: () => detail(422, "Field required"),
  isDown: false,
});

function networkOf(server: Server) {
  const asked: string[] = [];
  const fetch = async (url: string, { body }: RequestInit) => {
    const text: unknown = Object(JSON.parse(String(body))).input;
    asked.push(`${url}${text === undefined ? "" : " with a text"}`);
    if (server.isDown) throw new TypeError("connection refused");
    if (new URL(url).pathname !== server.path) return server.missing();
    if (text === undefined) return server.empty();
    return Response.json({ data: [{ index: 0, embedding: [0.6, 0.8] }], usage: { prompt_tokens: 3 } });
  };
  return { asked, fetch };
}

const V1 = "http://a:7997/v1/embeddings";
const BARE = "http://a:7997/embeddings";
const found = (url: string) => `found at ${url},`;
const told = ({ logs }: OpenGateway) => logs.filter(({ message }) => message.startsWith("provider's API"));

async function noticesOf(open: OpenGateway): Promise<string> {
  const { json } = await open.send("/admin/notices", { headers: { host: "localhost" } });
  return JSON.stringify(Object(json).notices);
}

describe("a base_url without a path", () => {
  test.each([
    ["openai", "/embeddings", [V1, BARE]],
    ["openai", "/v1/embeddings", [V1]],
    ["infinity", "/embeddings", [BARE]],
    ["infinity", "/v1/embeddings", [BARE, V1]],
    ["vllm", "/embeddings", [V1, BARE]],
  ])("%s finds %s at the start, without a text, and tells it", async (plugin, path, tried) => {
    const { asked, fetch } = networkOf({ ...infinity(), path });
    await using open = await openGateway({ yaml: yaml(plugin), outside: { fetch } });
    await quiet();
    expect(asked).toEqual(tried);
    const url = `http://a:7997${path}`;
    expect(told(open)).toMatchObject([{ level: "info", about: { provider: "a", url } }]);
    expect(await noticesOf(open)).toContain(found(url));
    expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
    expect(asked).toEqual([...tried, `${url} with a text`]);
    expect(told(open)).toHaveLength(1);
  });

  test("one with a path is not searched", async () => {
    const { asked, fetch } = networkOf(infinity());
    const text = yaml("openai").replace("7997", "7997/v1");
    await using open = await openGateway({ yaml: text, outside: { fetch } });
    await quiet();
    expect(asked).toEqual([]);
    expect(await noticesOf(open)).toBe("[]");
  });

  test("a server that is down at the start does not delay the gateway, and is found by the first call", async () => {
    const server = { ...infinity(), isDown: true };
    const { asked, fetch } = networkOf(server);
    await using open = await openGateway({ yaml: yaml("openai"), outside: { fetch } });
    expect((await open.send("/readyz")).status).toBe(200);
    await quiet();
    expect(told(open)).toMatchObject([{ level: "warn", about: { kind: "unavailable" } }]);
    expect(await noticesOf(open)).toBe("[]");
    server.isDown = false;
    expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
    expect(asked.slice(1)).toEqual([`${V1} with a text`, `${BARE} with a text`]);
    expect(told(open).slice(1)).toMatchObject([{ level: "info", about: { url: BARE } }]);
    expect(await noticesOf(open)).toContain(found(BARE));
  });

  test("if the API is at no URL, the log and a notice say so, and each call tries again", async () => {
    const server = { ...infinity(), path: "/api/embeddings" };
    const { fetch } = networkOf(server);
    await using open = await openGateway({ yaml: yaml("openai"), outside: { fetch } });
    await quiet();
    expect(told(open)).toMatchObject([{ level: "error", about: { tried: [V1, BARE] } }]);
    expect(await noticesOf(open)).toContain("set base_url with its path");
    expect((await open.post({ model: "m", input: "a" })).status).toBe(503);
    server.path = "/embeddings";
    expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
    expect(await noticesOf(open)).toContain(found(BARE));
  });

  test.each([
    ["its key is refused, as a proxy would refuse it at any path", () => detail(401, "Unauthorized")],
    ["its proxy finds it down", () => new Response("Bad Gateway", { status: 502 })],
    ["it is loading its model", () => detail(503, "Loading model")],
    ["it takes anything", () => new Response("<html>Welcome</html>")],
  ])("nothing is concluded where %s: the first call finds it", async (_, answer) => {
    const server = { ...infinity(), path: "/v1/embeddings", empty: answer };
    const { fetch } = networkOf(server);
    await using open = await openGateway({ yaml: yaml("openai"), outside: { fetch } });
    await quiet();
    expect(told(open)).toMatchObject([{ level: "warn" }]);
    expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
    expect(await noticesOf(open)).toContain(found(V1));
  });

  test.each([
    ["axum, Envoy: nothing at all", () => new Response(null, { status: 404 })],
    ["Go", () => new Response("404 page not found\n", { status: 404 })],
    ["Spring", () => Response.json({ status: 404, error: "Not Found", path: "/x" }, { status: 404 })],
    [
      "Fastify",
      () =>
        Response.json(
          { message: "Route POST:/v1/embeddings not found", error: "Not Found" },
          { status: 404 },
        ),
    ],
    ["another method there", () => new Response("Method Not Allowed", { status: 405 })],
  ])("no such path, as %s says it", async (_, missing) => {
    const { asked, fetch } = networkOf({ ...infinity(), missing });
    await using open = await openGateway({ yaml: yaml("openai"), outside: { fetch } });
    await quiet();
    expect(asked).toEqual([V1, BARE]);
    expect(told(open)).toMatchObject([{ level: "info", about: { url: BARE } }]);
  });

  test("a reload searches for new providers, and does not repeat the messages of others", async () => {
    const { asked, fetch } = networkOf(infinity());
    await using open = await openGateway({ yaml: yaml("infinity"), outside: { fetch } });
    await quiet();
    const text = yaml("infinity").replace(
      "providers: {",
      'providers: { b: { plugin: openai, base_url: "http://b" },',
    );
    const file = `${open.folder}/next.yaml`;
    await Bun.write(file, text);
    const loaded = await loadConfig({
      file,
      folder: open.folder,
      environment: {},
      host: () => createHost({ ...realOutside, fetch }),
      now: realOutside.now(),
      bundled: PLUGINS,
    });
    if (!loaded.ok) throw new Error("the test's own file is wrong");
    open.gateway.reload(loaded.config);
    await quiet();
    expect(asked.toSorted()).toEqual([BARE, BARE, "http://b/embeddings", "http://b/v1/embeddings"]);
    expect(told(open)).toMatchObject([{ about: { provider: "a" } }, { about: { provider: "b" } }]);
    expect(await noticesOf(open)).toContain(found("http://b/embeddings"));
  });

  test("a secret in the URL is in no log line and no notice", async () => {
    const { fetch } = networkOf(infinity());
    const text = yaml("openai").replace("7997", "7997?key=sesame");
    await using open = await openGateway({ yaml: text, outside: { fetch } });
    await quiet();
    expect(told(open)).toHaveLength(1);
    expect(JSON.stringify(open.logs) + (await noticesOf(open))).not.toContain("sesame");
  });
});
