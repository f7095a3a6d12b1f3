/**
 * Rate limits that machines share: exact over all of them by the server's clock; divided among them, with a log line, while the server is down.
 * The server is a real one (test/valkey/server.ts).
 */

import { describe, expect, test } from "bun:test";
import { createRateLimits, type Limited, type RateLimits } from "../../src/callers/rate-limits";
import { createSharedLimits } from "../../src/callers/shared-limits";
import { realOutside } from "../../src/network/real-outside";
import { connectValkey } from "../../src/network/valkey-client";
import { openLink } from "../../src/valkey/link";
import { namesOf } from "../../src/valkey/names";
import type { Sent } from "../gateway";
import { query } from "../stores/query";
import { NEVER, openMachines } from "../valkey/machines";
import { eventually, HAS_SERVER, type Server, startServer } from "../valkey/server";

const statusesOf = (sent: readonly Sent[]) => ({
  answered: sent.filter(({ status }) => status === 200).length,
  limited: sent.filter(({ status }) => status === 429).length,
});
const stateOf = ({ headers }: Sent) => headers.get("x-embedgate-limits");

/** One machine's limits, without a gateway. */
async function limitsAt(server: Server, machines = 1): Promise<RateLimits & Disposable> {
  const names = namesOf("test", "");
  const link = openLink({
    use: "limits",
    client: connectValkey(server.url),
    address: server.url,
    probeKey: names.probe,
    outside: { ...realOutside, alarm: NEVER, log: () => undefined },
    failed: () => undefined,
  });
  await link.begun;
  const own = createRateLimits(realOutside, realOutside.randomBytes(32));
  const parts = { link, names, machines: () => machines, outside: realOutside, degraded: () => undefined };
  return { ...createSharedLimits(own, parts), [Symbol.dispose]: () => link.close() };
}

const rules = (requestsPerMinute: number | undefined, tokensPerMinute?: number): Limited => ({
  name: "w",
  requestsPerMinute,
  tokensPerMinute,
});

const passes = (limits: RateLimits, of: Limited): Promise<boolean> =>
  Promise.resolve(limits.takeRequest(of)).then(
    () => true,
    () => false,
  );

describe.skipIf(!HAS_SERVER)("limits of several machines", () => {
  test("500 requests at once over three gateways: as many pass as the limit says", async () => {
    await using server = await startServer();
    await using machines = await openMachines({
      count: 3,
      // The next one would come in 12 s.
      more: `shared: ${server.url}\nworkspace_defaults: { requests_per_minute: 5 }`,
      isPatient: true,
    });
    const sent = await Promise.all(Array.from({ length: 500 }, (_, i) => machines.ask(i % 3, `${i}`)));
    expect(statusesOf(sent)).toEqual({ answered: 5, limited: 495 });
    expect(machines.calls()).toBe(5);
    const refused = sent.find(({ status }) => status === 429);
    expect(refused?.headers.get("x-ratelimit-limit-requests")).toBe("5");
    expect(refused?.headers.get("x-ratelimit-remaining-requests")).toBe("0");
    expect(Number(refused?.headers.get("retry-after"))).toBeWithin(1, 13);
    expect(new Set(sent.map(stateOf))).toEqual(new Set([null]));
    // The ledger of each machine has the cost.
    const rows = await Promise.all(
      machines.gateways.map(({ folder }) =>
        query(folder, "SELECT request_id FROM ledger WHERE status = 200"),
      ),
    );
    expect(rows.flat()).toHaveLength(5);
  });

  test("tokens that were estimated too high are returned, on every machine", async () => {
    await using server = await startServer();
    using one = await limitsAt(server);
    using other = await limitsAt(server);
    const of = rules(undefined, 1_000);
    const correct = await one.takeTokens(of, 1_000);
    expect(Promise.resolve(other.takeTokens(of, 100))).rejects.toMatchObject({ kind: "rate_limited" });
    correct(400);
    expect(one.headers(of)["x-ratelimit-remaining-tokens"]).toBe("600");
    await eventually(() =>
      Promise.resolve(other.takeTokens(of, 500)).then(
        () => true,
        () => false,
      ),
    );
    expect(Promise.resolve(one.takeTokens(of, 200))).rejects.toMatchObject({ kind: "rate_limited" });
  });

  test.each([3, 7, 37, 600])("a limit of %d lets exactly that many through", async (limit) => {
    await using server = await startServer();
    using limits = await limitsAt(server);
    const startedAt = realOutside.monotonic();
    let passed = 0;
    while (await passes(limits, rules(limit))) passed += 1;
    const come = ((realOutside.monotonic() - startedAt) * limit) / 60_000;
    expect(passed).toBeGreaterThanOrEqual(limit);
    expect(passed).toBeLessThanOrEqual(limit + Math.ceil(come));
  });

  test("a limit that is lowered or raised keeps what was used of it", async () => {
    await using server = await startServer();
    using limits = await limitsAt(server);
    for (let i = 0; i < 5; i++) await limits.takeRequest(rules(10));
    await limits.takeRequest(rules(100));
    expect(Number(limits.headers(rules(100))["x-ratelimit-remaining-requests"])).toBeWithin(94, 96);
    await limits.takeRequest(rules(60));
    expect(limits.headers(rules(60))["x-ratelimit-remaining-requests"]).toBe("53");
  });

  test("a server whose clock went back an hour lets time go on, and keeps what was taken", async () => {
    await using server = await startServer();
    using limits = await limitsAt(server);
    while (await passes(limits, rules(6))) {
      // Until the bucket is empty.
    }
    const key = namesOf("test", "").bucket("requests", "w");
    const [missing = "", at = "", limit = ""] = (await server.ask("GET", key)).split(" ");
    await server.ask("SET", key, `${missing} ${Number(at) + 3_600e6} ${limit}`);
    expect(await passes(limits, rules(6))).toBe(false);
    const [, after = ""] = (await server.ask("GET", key)).split(" ");
    expect(Number(after)).toBeLessThan(Number(at) + 60e6);
  });

  test("while it does not answer each machine uses its share, and logs that", async () => {
    await using server = await startServer();
    await using machines = await openMachines({
      count: 3,
      more: `shared: ${server.url}\nworkspace_defaults: { requests_per_minute: 6 }`,
    });
    await eventually(async () => (await server.ask("ZCARD", "embedgate:{embedgate}:machines")) === "3");
    // Each machine learns of all others with its next pulse.
    const pulses = await server.calls("evalsha");
    await eventually(async () => (await server.calls("evalsha")) >= pulses + 9);
    await server.kill();
    const sent = await Promise.all(Array.from({ length: 60 }, (_, i) => machines.ask(i % 3, `${i}`)));
    expect(statusesOf(sent)).toEqual({ answered: 6, limited: 54 });
    expect(new Set(sent.map(stateOf))).toEqual(new Set(["degraded"]));
    const refused = sent.find(({ status }) => status === 429);
    expect(refused?.headers.get("x-ratelimit-limit-requests")).toBe("2");
    expect(refused?.text).toContain("one machine's share");
    const metrics = await machines.gateways[0]?.send("/metrics");
    expect(metrics?.text).toContain('embedgate_shared_circuit_breakers_open{use="limits"} 1');
    expect(metrics?.text).toMatch(/embedgate_rate_limits_degraded_total [1-9]/);

    await server.start();
    const back = await eventually(async () => {
      const one = await machines.ask(0, "again");
      return stateOf(one) === null && one;
    });
    // The server lost its contents: the bucket is full again.
    expect(back.status).toBe(200);
    const told = machines.gateways[0]?.logs
      .filter(({ message }) => message.startsWith("shared server"))
      .filter(({ about }) => Object(about).use === "limits")
      .map(({ message }) => message);
    expect(told).toEqual([
      "shared server does not answer: this machine works without it",
      "shared server answers again",
    ]);
  });

  test.each(["/v1/models", "/metrics", "/admin/notices"])("%s counts on all machines too", async (path) => {
    await using server = await startServer();
    await using machines = await openMachines({ count: 2, more: `shared: ${server.url}`, isPatient: true });
    const keys: string[] = [];
    for (const { gateway } of machines.gateways) {
      await gateway.workspaces.create("team", { requests_per_minute: 1 }, null);
      keys.push((await gateway.keys.create("ci", "team")).key);
    }
    const sent = async (machine: number) =>
      machines.gateways[machine]?.send(path, { headers: { authorization: `Bearer ${keys[machine]}` } });
    expect((await sent(0))?.status).toBe(path === "/v1/models" ? 200 : 403);
    expect((await sent(1))?.status).toBe(429);
  });

  test("a server that is full of other data counts as none", async () => {
    await using server = await startServer("--maxmemory", "1mb");
    await using machines = await openMachines({
      count: 1,
      more: `shared: ${server.url}\ncache: {}\nworkspace_defaults: { requests_per_minute: 2 }`,
    });
    const sent = await Promise.all(Array.from({ length: 5 }, (_, i) => machines.ask(0, `${i}`)));
    expect(statusesOf(sent)).toEqual({ answered: 2, limited: 3 });
    expect(new Set(sent.map(stateOf))).toEqual(new Set(["degraded"]));
    const told = machines.gateways[0]?.logs.find(({ message }) =>
      message.startsWith("shared server does not"),
    );
    expect(JSON.stringify(told?.about)).toContain("OOM");
  });

  test("a gateway starts without it, and divides the limit by the number in the routing file", async () => {
    await using machines = await openMachines({
      count: 1,
      more: "shared: { limits: 'valkey://127.0.0.1:1', machines: 3 }\nworkspace_defaults: { requests_per_minute: 6 }",
    });
    const sent = await Promise.all(Array.from({ length: 9 }, (_, i) => machines.ask(0, `${i}`)));
    expect(statusesOf(sent)).toEqual({ answered: 2, limited: 7 });
    expect(new Set(sent.map(stateOf))).toEqual(new Set(["degraded"]));
  });

  test("a workspace without limits gets no rate-limit headers, and the server is not asked", async () => {
    await using machines = await openMachines({
      count: 1,
      more: "shared: valkey://127.0.0.1:1\nworkspace_defaults: {}",
    });
    expect(stateOf(await machines.ask(0, "a"))).toBeNull();
  });
});
