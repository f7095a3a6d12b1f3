/**
 * Vectors that machines share: what one has embedded the others find, and what one is fetching the others wait for. A value that a gateway did
 * not write is a miss. The server is a real one (test/valkey/server.ts).
 */
import { describe, expect, test } from "bun:test";
import type { Sent } from "../gateway";
import { type Machines, openMachines } from "../valkey/machines";
import { eventually, HAS_SERVER, type Server, startServer } from "../valkey/server";

const caching = (server: Server, more = "") => `cache: {}\nshared: { cache: '${server.url}'${more} }`;
const cacheOf = ({ headers }: Sent) => headers.get("x-embedgate-cache");
const vectorsOf = ({ json }: Sent): unknown[] =>
  Object(json).data.map(({ embedding }: { embedding: unknown }) => embedding);
const keysAt = async (server: Server, kind: string) =>
  (await server.ask("KEYS", `*:${kind}1:*`)).split("\n").filter(Boolean);

/** The entry is written after the answer was sent. */
const written = (server: Server, count: number) =>
  eventually(
    async () =>
      (await keysAt(server, "vector")).length === count && (await keysAt(server, "mark")).length === 0,
  );

describe.skipIf(!HAS_SERVER)("vectors of several machines", () => {
  test("what one has embedded the others find, and then keep themselves", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 2, more: caching(server), isPatient: true });
    const first = await machines.ask(0, ["one", "two", "three"]);
    expect(cacheOf(first)).toBe("hit=0, miss=3");
    await written(server, 3);
    const second = await machines.ask(1, ["three", "four", "one"]);
    expect(cacheOf(second)).toBe("hit=2, miss=1");
    const [one, , three] = vectorsOf(first);
    expect([vectorsOf(second)[2], vectorsOf(second)[0]]).toEqual([one, three]);
    await server.kill();
    expect(cacheOf(await machines.ask(1, ["three", "one"]))).toBe("hit=2, miss=0");
    expect(machines.calls()).toBe(2);
  });

  test("neither a text nor a workspace can be read from the server's contents", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 1, more: caching(server), isPatient: true });
    await machines.ask(0, "a text that is nobody's business");
    await written(server, 1);
    const [key = ""] = await keysAt(server, "vector");
    expect(key).toMatch(/^embedgate:\{embedgate:[0-9a-f]\}:vector1:[0-9a-f]{40}$/);
    expect(Number(await server.ask("PTTL", key))).toBeGreaterThan(6 * 24 * 3_600_000);
  });

  interface Spoilt {
    readonly what: string;
    /** Of this vector's key, and of another one's. */
    readonly lua: string;
    /** Whether it is logged: a value that the server itself treats as missing is not. */
    readonly isTold?: boolean;
  }
  const SPOILT: readonly Spoilt[] = [
    { what: "a text", lua: "redis.call('SET', KEYS[1], string.rep('no vector at all', 9))" },
    { what: "an empty text", lua: "redis.call('SET', KEYS[1], '')" },
    { what: "a vector with a byte changed", lua: "redis.call('SETRANGE', KEYS[1], 45, 'x')" },
    {
      what: "a vector with a byte less",
      lua: "redis.call('SET', KEYS[1], string.sub(redis.call('GET', KEYS[1]), 1, -2))",
    },
    { what: "another text's vector", lua: "redis.call('SET', KEYS[1], redis.call('GET', KEYS[2]))" },
    { what: "a list", lua: "redis.call('DEL', KEYS[1]); redis.call('RPUSH', KEYS[1], 'x')", isTold: false },
  ];

  test.each(SPOILT)(
    "$what in place of a vector is a miss, and is put right",
    async ({ lua, isTold = true }) => {
      await using server = await startServer();
      await using machines = await openMachines({ count: 3, more: caching(server), isPatient: true });
      const [right] = vectorsOf(await machines.ask(0, "mine"));
      await written(server, 1);
      const [key = ""] = await keysAt(server, "vector");
      await machines.ask(0, "theirs");
      await written(server, 2);
      const other = (await keysAt(server, "vector")).find((one) => one !== key) ?? "";
      const digest = () => server.ask("EVAL", "return redis.sha1hex(redis.call('GET', KEYS[1]))", "1", key);
      const whole = await digest();
      await server.ask("EVAL", lua, "2", key, other);
      expect(await digest()).not.toBe(whole);
      const again = await machines.ask(1, "mine");
      expect(cacheOf(again)).toBe("hit=0, miss=1");
      expect(vectorsOf(again)).toEqual([right]);
      const metrics = await machines.gateways[1]?.send("/metrics");
      expect(metrics?.text.includes('embedgate_shared_failures_total{use="cache",reason="wrong"}')).toBe(
        isTold,
      );
      await eventually(async () => (await digest()) === whole);
      expect(cacheOf(await machines.ask(2, "mine"))).toBe("hit=1, miss=0");
    },
  );

  test("gateways with another secret, or another name, find nothing of each other's", async () => {
    await using server = await startServer();
    await using one = await openMachines({
      count: 1,
      more: caching(server, ", secret: one"),
      isPatient: true,
    });
    await using other = await openMachines({
      count: 1,
      more: caching(server, ", secret: other"),
      isPatient: true,
    });
    await using named = await openMachines({
      count: 1,
      more: caching(server, ", secret: one, name: staging"),
      isPatient: true,
    });
    await one.ask(0, "text");
    await written(server, 1);
    expect(cacheOf(await other.ask(0, "text"))).toBe("hit=0, miss=1");
    expect(cacheOf(await named.ask(0, "text"))).toBe("hit=0, miss=1");
  });

  test("what one is fetching the others wait for: one call, one vector", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 3, more: caching(server), holds: true });
    const first = machines.ask(0, "popular");
    await machines.upstream.reached(1);
    const others = Array.from({ length: 30 }, (_, i) => machines.ask(i % 3, "popular"));
    // Longer than a mark lives on its own: it is renewed.
    const [mark = ""] = await keysAt(server, "mark");
    const lives = async () => Number(await server.ask("PTTL", mark));
    for (let renewed = 0; renewed < 2; renewed++) {
      await eventually(async () => (await lives()) < 1_600);
      await eventually(async () => (await lives()) > 1_700);
    }
    machines.upstream.release();
    const sent = await Promise.all([first, ...others]);
    expect(new Set(sent.map(({ status }) => status))).toEqual(new Set([200]));
    expect(machines.calls()).toBe(1);
    expect(new Set(sent.map((one) => JSON.stringify(vectorsOf(one)))).size).toBe(1);
    await written(server, 1);
  });

  test("two that fetch each other's texts first do not wait for each other in a circle", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 2, more: caching(server), holds: true });
    const texts = Array.from({ length: 40 }, (_, i) => `text${i}`);
    const sent = [machines.ask(0, texts), machines.ask(1, texts.toReversed())];
    await machines.upstream.reached(1);
    machines.upstream.release();
    const [one, other] = await Promise.all(sent);
    expect(one?.status).toBe(200);
    expect(vectorsOf(other ?? fail())).toEqual(vectorsOf(one ?? fail()).toReversed());
  });

  test("a dead machine is waited for no longer than its mark lives", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 2, more: caching(server) });
    await machines.ask(0, "text");
    await written(server, 1);
    const [key = ""] = await keysAt(server, "vector");
    await server.ask("DEL", key);
    await server.ask("SET", key.replace(":vector1:", ":mark1:"), "a machine that has ended", "PX", "300");
    const late = await machines.ask(1, "text");
    expect(cacheOf(late)).toBe("hit=0, miss=1");
    expect(machines.calls()).toBe(2);
  });

  test("a server that is lost while others wait keeps nobody waiting, and no request is lost", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 2, more: caching(server), holds: true });
    const first = machines.ask(0, "text");
    await machines.upstream.reached(1);
    const second = machines.ask(1, "text");
    // Both have looked once, and the second is checking whether it has come.
    await eventually(async () => (await server.calls("mget")) >= 4);
    await server.kill();
    // It fetches by itself as soon as it notices.
    await machines.upstream.reached(2);
    machines.upstream.release();
    const sent = await Promise.all([first, second]);
    expect(sent.map(({ status }) => status)).toEqual([200, 200]);
    await server.start();
    await eventually(async () => {
      await machines.ask(0, `${Math.random()}`);
      return (await keysAt(server, "vector")).length > 0;
    });
  });

  test("killed, frozen and started in the middle of many requests: each is answered with its own vector", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 2, more: `${caching(server)}` });
    const right = new Map<string, string>();
    await using alone = await openMachines({ count: 1, more: "" });
    for (let i = 0; i < 20; i++) right.set(`${i}`, JSON.stringify(vectorsOf(await alone.ask(0, `${i}`))));
    let rounds = 0;
    const isRight = async (machine: number, text: string) => {
      const sent = await machines.ask(machine, text);
      expect(sent.status).toBe(200);
      expect(JSON.stringify(vectorsOf(sent))).toBe(right.get(text) ?? "");
      rounds += 1;
    };
    const asking = async () => {
      for (let i = 0; i < 200; i++) await isRight(i % 2, `${i % 20}`);
    };
    const breaking = async () => {
      await server.kill();
      await server.start();
      server.freeze();
      await Bun.sleep(200);
      server.thaw();
      await server.kill();
      await server.start();
    };
    await Promise.all([asking(), breaking(), asking(), asking()]);
    expect(rounds).toBe(600);
  }, 30_000);

  test("a batch is asked for in parts, and found as a whole", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 2, more: caching(server), isPatient: true });
    const texts = Array.from({ length: 1_000 }, (_, i) => `text${i}`);
    await machines.ask(0, texts);
    await written(server, 1_000);
    expect(cacheOf(await machines.ask(1, texts))).toBe("hit=1000, miss=0");
  });

  test("a request that caches nothing leaves no mark and no vector", async () => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 1, more: caching(server) });
    const { gateways } = machines as Machines;
    await gateways[0]?.post({ model: "m", input: "secret" }, { "cache-control": "no-store" });
    await gateways[0]?.post({ model: "m", input: "secret" }, { "cache-control": "no-cache" });
    await written(server, 1);
  });
});

function fail(): never {
  throw new Error("no answer");
}
