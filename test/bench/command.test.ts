/**
 * `embedgate bench` as a user types it, from source, against a server and against the gateway; its options, and its progress bar on a terminal.
 */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { urlOf } from "../../src/bench/endpoint";
import { measure } from "../../src/bench/measure";
import { settingsOf } from "../../src/commands/bench";
import { realOutside } from "../../src/network/real-outside";
import { openProgress } from "../../src/terminal/progress";
import { runCommand } from "../command-line";
import { FAKE_YAML, openGateway } from "../gateway";
import { allFor, goodAnswer } from "./measuring";

const MAIN = join(import.meta.dir, "../../src/main.ts");

function startEndpoint(broken = false) {
  const keys = new Set<string | null>();
  let asked = 0;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      asked += 1;
      keys.add(request.headers.get("authorization"));
      const { input, encoding_format, dimensions } = await request.json();
      const good = goodAnswer([input].flat(), encoding_format, dimensions);
      return Response.json(broken ? { data: good.data } : good);
    },
  });
  return {
    keys,
    asked: () => asked,
    url: `${server.url.origin}/v1`,
    [Symbol.dispose]: () => server.stop(true),
  };
}

const benchOf = (environment: Record<string, string>, ...args: readonly string[]) =>
  runCommand(["bench", ...args], { environment });

test("a good endpoint's figures and checks are printed, the key comes from the environment, and it exits 0", async () => {
  using endpoint = startEndpoint();
  const key = "sk-from-the-environment";
  const { code, out, errors } = await benchOf(
    { OPENAI_API_KEY: key },
    ...["--url", endpoint.url, "--model", "m", "--requests", "40", "--inputs", "2"],
  );
  expect([...endpoint.keys]).toEqual([`Bearer ${key}`]);
  expect(errors).toContain("Then 20 requests over 8 connections, each with 2 texts of about 16 tokens");
  // No bar is drawn without a terminal.
  expect(errors).not.toContain("█");
  expect(out).toContain("texts (vectors)      40");
  expect(errors).toContain("40 requests in all, at most.");
  expect(out).toEndWith("13 right, 0 wrong, 0 not tried. 40 requests sent.\n");
  expect(endpoint.asked()).toBe(40);
  expect(out + errors).not.toContain(key);
  expect(code).toBe(0);
});

test("with --json only one object is printed, and an error makes it exit 1", async () => {
  using endpoint = startEndpoint(true);
  const { code, out, errors } = await benchOf(
    {},
    ...["--url", endpoint.url, "--model", "m", "--requests", String(allFor(3)), "--json"],
  );
  expect(errors).toBe("");
  const { load, checks } = JSON.parse(out);
  expect(load).toMatchObject({ requests: 3, right: 3, tokens: null });
  expect(checks).toContainEqual({
    check: "usage reports tokens",
    outcome: "wrong",
    why: "13 of 13 answers have no usage.prompt_tokens above 0",
  });
  expect(code).toBe(1);
});

test("on a terminal a progress bar is drawn meanwhile, and removed", async () => {
  using endpoint = startEndpoint();
  let screen = "";
  const decoder = new TextDecoder();
  const child = Bun.spawn(
    [process.execPath, MAIN, "bench", "--url", endpoint.url, "--model", "m", "--requests", String(allFor(9))],
    {
      env: {},
      terminal: {
        data(_, bytes) {
          screen += decoder.decode(bytes, { stream: true });
        },
      },
    },
  );
  expect(await child.exited).toBe(0);
  expect(screen.replaceAll("\u001b", "")).toMatch(/\r\[K[░█▏▎▍▌▋▊▉]{24} +\d+ % {2}\d+ requests, /);
  expect(screen).toContain("13 right, 0 wrong");
});

test("the gateway's own answers pass", async () => {
  await using opened = await openGateway({ yaml: FAKE_YAML });
  const outside = {
    ...realOutside,
    fetch: (url: string, init: RequestInit) => opened.gateway.door.handle(new Request(url, init)),
  };
  const settings = settingsOf(
    {
      url: "http://localhost:8080",
      model: "fake-8",
      inputs: 5,
      tokens: 20,
      connections: 8,
      requests: allFor(40),
      encoding: "float",
    },
    {},
  );
  if (typeof settings === "string") throw new Error(settings);
  const watch = { say: () => undefined, at: () => undefined };
  const { load, checks } = await measure(settings, outside, watch, new AbortController().signal);
  expect(load).toMatchObject({ sent: 40, right: 40 });
  expect(checks.filter(({ outcome }) => outcome !== "right")).toEqual([]);
});

describe("a URL", () => {
  test.each([
    ["https://api.test/v1", "https://api.test/v1/embeddings"],
    ["https://api.test/v1/", "https://api.test/v1/embeddings"],
    ["https://api.test/v1/embeddings", "https://api.test/v1/embeddings"],
    ["http://127.0.0.1:8080", "http://127.0.0.1:8080/v1/embeddings"],
    ["http://127.0.0.1:8080/", "http://127.0.0.1:8080/v1/embeddings"],
    [
      "https://api.test/openai/deployments/d?api-version=1",
      "https://api.test/openai/deployments/d/embeddings?api-version=1",
    ],
  ])("%s is asked at %s", (text, url) => {
    expect(String(urlOf(text))).toBe(url);
  });
  test.each([
    ["api.test/v1", "is not an http or https URL"],
    ["ftp://api.test/v1", "is not an http or https URL"],
    ["https://me:secret@api.test/v1", "pass the key with --key"],
  ])("%s is refused", (text, words) => {
    expect(urlOf(text)).toContain(words);
  });
});

const OPTIONS = { inputs: 1, tokens: 16, connections: 8, encoding: "float" } as const;

test("without a URL the gateway on this machine is measured for ten seconds, and no SDK's key is sent to it", () => {
  expect(settingsOf(OPTIONS, { OPENAI_API_KEY: "sk-a" })).toMatchObject({
    url: new URL("http://127.0.0.1:8080/v1/embeddings"),
    model: "all-MiniLM-L6-v2",
    key: undefined,
    seconds: 10,
    requests: Number.POSITIVE_INFINITY,
  });
});

test("the key comes from the option, else from its own variable, else from the SDKs' variable", () => {
  const options = { ...OPTIONS, url: "https://api.test/v1", model: "m" };
  const environment = { EMBEDGATE_BENCH_KEY: "b", OPENAI_API_KEY: "c" };
  expect(settingsOf({ ...options, key: "a" }, environment)).toMatchObject({ key: "a" });
  expect(settingsOf(options, environment)).toMatchObject({ key: "b" });
  expect(settingsOf(options, { OPENAI_API_KEY: "c" })).toMatchObject({ key: "c" });
});

test.each([
  [{ url: "https://api.test/v1" }, "--model: required with --url"],
  [{ inputs: 0 }, "expected 1 or more"],
  [{ connections: 0 }, "expected 1 or more"],
  [{ connections: 257 }, "--connections: expected 256 or less"],
  [{ tokens: 6 }, "--tokens: expected 7 or more"],
])("%j does not go together", (options, words) => {
  expect(settingsOf({ ...OPTIONS, ...options }, {})).toContain(words);
});

test("more connections are opened if the environment allows Bun to", () => {
  const environment = { BUN_CONFIG_MAX_HTTP_REQUESTS: "500" };
  expect(settingsOf({ ...OPTIONS, connections: 500 }, environment)).toMatchObject({ connections: 500 });
});

test("a bar is cut to the terminal's width, so that it never wraps", () => {
  const written: string[] = [];
  const progress = openProgress({ isTTY: true, columns: 40, write: (text) => written.push(text) });
  progress.at(0.5, "12 requests, 3/s, p50 1.0 ms and more");
  progress.end();
  expect(written).toEqual([`\r\u001b[K${"█".repeat(12)}${"░".repeat(12)}  50 %  12 requ`, "\r\u001b[K"]);
});
