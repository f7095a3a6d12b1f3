/**
 * A server that loads its model at the first call: if there is no other target, the first call may take up to the deadline, and is not
 * cancelled and sent again. A further kind of cold start is a test here.
 */
import { describe, expect, test } from "bun:test";
import { fakeOutside } from "../fake-outside";
import { openGateway } from "../gateway";

const VECTOR = [1, 0, 0, 0];
const ONE = "http://one.example";
const TWO = "http://two.example";

/** Servers that answer only once their model is loaded, counted from the first call. */
function servers(loadMs: Readonly<Record<string, number>>) {
  const calls: string[] = [];
  const loadedAt = new Map<string, number>();
  const clock = fakeOutside({
    fetch: async (url, init) => {
      const { origin } = new URL(url);
      calls.push(origin);
      const { now, sleep } = clock.outside;
      const at = loadedAt.get(origin) ?? now() + (loadMs[origin] ?? 0);
      loadedAt.set(origin, at);
      if (at > now()) await sleep(at - now(), init.signal ?? undefined);
      const { input } = JSON.parse(String(init.body));
      const texts: readonly unknown[] = Array.isArray(input) ? input : [input];
      const data = texts.map((_, index) => ({ index, embedding: VECTOR }));
      return Response.json({ data, usage: { prompt_tokens: 2 * texts.length } });
    },
  });
  return { clock, calls };
}

const yamlOf = (routes: string, more = "") => `
server: { deadline_ms: 60000 }
space_probe: false
providers:
  one: { plugin: openai, base_url: "${ONE}/v1", timeout_ms: 10000 }
  two: { plugin: openai, base_url: "${TWO}/v1", timeout_ms: 10000 }
models:
  m: { routes: [ ${routes} ], dimensions: 4, unmeasured: serve${more} }
`;
const LONE = "{ provider: one }";
const BOTH = "{ provider: one }, { provider: two }";
const body = { model: "m", input: "hello" };

describe("a first call", () => {
  test.each([1, 8])("of %i texts that takes 40 s is answered by one call", async (count) => {
    const { clock, calls } = servers({ [ONE]: 40_000 });
    await using open = await openGateway({ yaml: yamlOf(LONE), outside: clock.outside });
    const input = Array.from({ length: count }, (_, i) => `text ${i}`);
    const sent = await clock.until(open.post({ model: "m", input }));
    expect(sent.status).toBe(200);
    expect(calls).toEqual([ONE]);
  });

  test("by several callers at once is one call each, and all are answered", async () => {
    const { clock, calls } = servers({ [ONE]: 40_000 });
    await using open = await openGateway({ yaml: yamlOf(LONE), outside: clock.outside });
    const sent = await clock.until(
      Promise.all(["a", "b", "c"].map((input) => open.post({ ...body, input }))),
    );
    expect(sent.map(({ status }) => status)).toEqual([200, 200, 200]);
    expect(calls).toHaveLength(3);
  });

  test("past the deadline is a 504, and the next one is cancelled after timeout_ms", async () => {
    const { clock, calls } = servers({ [ONE]: 10 * 60_000 });
    await using open = await openGateway({
      yaml: yamlOf(LONE).replace("timeout_ms: 10000", "timeout_ms: 10000, retries: 0"),
      outside: clock.outside,
    });
    const began = clock.outside.now();
    expect((await clock.until(open.post(body))).status).toBe(504);
    expect(clock.outside.now() - began).toBe(60_000);
    expect((await clock.until(open.post({ ...body, input: "other" }))).status).toBe(504);
    expect(clock.outside.now() - began).toBe(70_000);
    expect(calls).toHaveLength(2);
  });

  test("is cancelled after timeout_ms if another route can serve", async () => {
    const { clock, calls } = servers({ [ONE]: 40_000 });
    await using open = await openGateway({
      yaml: yamlOf(BOTH).replace("space_probe: false\n", ""),
      outside: clock.outside,
    });
    const began = clock.outside.now();
    expect((await clock.until(open.post(body))).status).toBe(200);
    expect(clock.outside.now() - began).toBeLessThan(40_000);
    expect(calls).toContain(TWO);
  });

  test("of a large batch continues in halves after half of the time", async () => {
    const { clock, calls } = servers({ [ONE]: 40_000 });
    await using open = await openGateway({ yaml: yamlOf(LONE), outside: clock.outside });
    const input = Array.from({ length: 64 }, (_, i) => `text ${i}`);
    expect((await clock.until(open.post({ model: "m", input }))).status).toBe(200);
    expect(calls.length).toBeGreaterThan(1);
  });
});

describe("warm: true", () => {
  test.each([
    ["of a model", yamlOf(LONE, ", warm: true")],
    ["of a provider", yamlOf(LONE).replace(`base_url: "${ONE}/v1"`, `base_url: "${ONE}/v1", warm: true`)],
  ])("%s asks once at the start, and callers find it loaded", async (_, yaml) => {
    const { clock, calls } = servers({ [ONE]: 40_000 });
    await using open = await openGateway({ yaml, outside: clock.outside });
    await clock.advance(40_000);
    expect(calls).toEqual([ONE]);
    const began = clock.outside.now();
    expect((await clock.until(open.post(body))).status).toBe(200);
    expect(clock.outside.now() - began).toBe(0);
    expect(clock.logs.map(({ message }) => message)).toContain("a model was warmed up");
    open.gateway.reload(open.gateway.config());
    await clock.advance(1_000);
    expect(calls).toHaveLength(2);
  });

  test("reports providers that do not answer, and the gateway serves anyway", async () => {
    const { clock } = servers({ [ONE]: 10 * 60_000 });
    await using open = await openGateway({ yaml: yamlOf(LONE, ", warm: true"), outside: clock.outside });
    await clock.advance(60_000);
    // Its row in the ledger is settled first.
    await open.gateway.close();
    expect(clock.logs.map(({ message }) => message)).toContain("a model could not be warmed up");
  });

  test("left out, no call is made before a caller comes", async () => {
    const { clock, calls } = servers({});
    await using open = await openGateway({ yaml: yamlOf(BOTH), outside: clock.outside });
    await clock.advance(10_000);
    expect(open.gateway.config().models.get("m")?.warm).toBe(false);
    expect(calls).toEqual([]);
  });
});
