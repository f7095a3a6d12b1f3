/**
 * A route that gets a pause after a 429 gets it on every machine, by a message of the one that got the 429. The server is a real one (test/valkey/server.ts).
 */
import { describe, expect, test } from "bun:test";
import { openGateway } from "../gateway";
import { eventually, HAS_SERVER, startServer } from "../valkey/server";

/** A provider on loopback that can refuse calls, and counts all of them. */
function startLimited() {
  let calls = 0;
  let isLimited = false;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { input }: { input: string[] } = await request.json();
      calls += 1;
      if (isLimited)
        return Response.json(
          { error: { message: "slow down" } },
          { status: 429, headers: { "retry-after": "30" } },
        );
      return Response.json({
        data: input.map((text, index) => ({
          index,
          embedding: [1, text.length, Bun.hash.crc32(text) / 2 ** 32],
        })),
        usage: { prompt_tokens: input.length },
      });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/v1`,
    calls: () => calls,
    limit() {
      isLimited = true;
      calls = 0;
    },
    [Symbol.dispose]: () => void server.stop(true),
  };
}

const yamlWith = (shared: string, first: string, second: string, key: string) => `
${shared}
providers:
  first: { plugin: openai, base_url: ${first}, api_key: ${key} }
  second: { plugin: openai, base_url: ${second}, api_key: k }
models:
  m: { routes: [ { provider: first }, { provider: second } ] }
`;

const stateOf = async (gateway: Awaited<ReturnType<typeof openGateway>>): Promise<unknown> =>
  Object((await gateway.send("/admin/routes")).json).routes[0].state;

describe.skipIf(!HAS_SERVER)("a route with a pause after a 429", () => {
  test("has it on all machines that use its account, and on no other", async () => {
    await using server = await startServer();
    using first = startLimited();
    using second = startLimited();
    const open = (key: string) =>
      openGateway({ yaml: yamlWith(`shared: { limits: '${server.url}' }`, first.url, second.url, key) });
    await using one = await open("k");
    await using other = await open("k");
    await using account = await open("another");
    const all = [one, other, account];
    for (const gateway of all) expect((await gateway.post({ model: "m", input: "before" })).status).toBe(200);
    await eventually(async () => {
      const states = await Promise.all(all.map(stateOf));
      return states.every((state) => state === "serving");
    });
    first.limit();
    expect((await one.post({ model: "m", input: "told" })).headers.get("x-embedgate-provider")).toBe(
      "second",
    );
    expect(first.calls()).toBe(1);
    await eventually(async () => (await stateOf(other)) === "rate_limited");
    for (let i = 0; i < 5; i++)
      expect((await other.post({ model: "m", input: `${i}` })).headers.get("x-embedgate-provider")).toBe(
        "second",
      );
    expect(first.calls()).toBe(1);
    expect(await stateOf(account)).toBe("serving");

    // A machine that comes later learns of it too, and a reload forgets nothing.
    await using late = await open("k");
    await eventually(async () => (await stateOf(late)) === "rate_limited");
    late.gateway.reload(late.gateway.config());
    expect(await stateOf(late)).toBe("rate_limited");
    // If the server loses it, machines that knew it still do.
    await server.kill();
    expect(await stateOf(other)).toBe("rate_limited");
  });
});
