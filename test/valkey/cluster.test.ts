/**
 * A cluster of three servers: found out by itself, keys by hash tags where one command needs them together, and no request lost with one of them.
 * The servers are real ones (server.ts).
 */
import { expect, test } from "bun:test";
import { openMachines } from "./machines";
import { eventually, HAS_SERVER, startServer } from "./server";

const CLUSTER = [
  "--cluster-enabled",
  "yes",
  "--cluster-node-timeout",
  "1000",
  "--cluster-require-full-coverage",
  "no",
];

test.skipIf(!HAS_SERVER)(
  "limits and vectors lie on all servers of a cluster, and what one of them had is lost with it",
  async () => {
    await using first = await startServer(...CLUSTER);
    await using second = await startServer(...CLUSTER);
    await using third = await startServer(...CLUSTER);
    const servers = [first, second, third];
    const addresses = servers.map(({ port }) => `127.0.0.1:${port}`);
    await first.ask("--cluster", "create", ...addresses, "--cluster-yes");
    for (const server of servers)
      await eventually(async () => (await server.ask("CLUSTER", "INFO")).includes("cluster_state:ok"));

    await using machines = await openMachines({
      count: 2,
      more: `shared: ${first.url}\ncache: {}\nworkspace_defaults: { requests_per_minute: 5 }`,
    });
    const texts = Array.from({ length: 64 }, (_, i) => `text${i}`);
    expect((await machines.ask(0, texts)).status).toBe(200);
    const vectors = async () => {
      const lists = await Promise.all(servers.map((server) => server.ask("KEYS", "*:vector1:*")));
      return lists.map((list) => list.split("\n").filter(Boolean).length);
    };
    await eventually(async () => (await vectors()).reduce((sum, count) => sum + count, 0) === 64);
    expect(Math.min(...(await vectors()))).toBeGreaterThan(0);
    const found = await machines.ask(1, texts);
    expect(found.headers.get("x-embedgate-cache")).toBe("hit=64, miss=0");
    expect(found.headers.get("x-embedgate-limits")).toBeNull();

    const sent = await Promise.all(Array.from({ length: 20 }, (_, i) => machines.ask(i % 2, "text0")));
    expect(sent.filter(({ status }) => status === 200)).toHaveLength(3);

    await third.kill();
    const after = await Promise.all(Array.from({ length: 10 }, (_, i) => machines.ask(i % 2, `new${i}`)));
    expect(new Set(after.map(({ status }) => status)).isSubsetOf(new Set([200, 429]))).toBe(true);
  },
);
