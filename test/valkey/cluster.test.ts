/**
 * A cluster of servers: detected automatically, keys with hash tags where one command needs them together, and replicas that take over are used.
 * The servers are real ones (server.ts).
 */
import { describe, expect, test } from "bun:test";
import { connectValkey } from "../../src/network/valkey-client";
import { openMachines } from "./machines";
import { eventually, HAS_SERVER, type Server, startServer } from "./server";

const CLUSTER = [
  ...["--cluster-enabled", "yes", "--cluster-node-timeout", "1000", "--cluster-require-full-coverage", "no"],
  ...["--repl-diskless-sync-delay", "0", "--cluster-replica-validity-factor", "0"],
];

interface Cluster extends AsyncDisposable {
  readonly first: Server;
  readonly servers: readonly Server[];
}

async function startCluster(): Promise<Cluster> {
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => startServer(...CLUSTER)));
  if (!first || !second || !third) throw new Error("three were started");
  const servers = [first, second, third];
  await first.ask("--cluster", "create", ...servers.map(addressOf), "--cluster-yes");
  for (const server of servers)
    await eventually(async () => (await server.ask("CLUSTER", "INFO")).includes("cluster_state:ok"));
  return {
    first,
    servers,
    async [Symbol.asyncDispose]() {
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

const addressOf = ({ port }: Server) => `127.0.0.1:${port}`;

describe.skipIf(!HAS_SERVER)("a cluster", () => {
  test("has limits and vectors on all its servers", async () => {
    await using cluster = await startCluster();
    await using machines = await openMachines({
      count: 2,
      more: `shared: ${cluster.first.url}\ncache: {}\nworkspace_defaults: { requests_per_minute: 5 }`,
      isPatient: true,
    });
    const texts = Array.from({ length: 64 }, (_, i) => `text${i}`);
    expect((await machines.ask(0, texts)).status).toBe(200);
    const vectors = async () => {
      const lists = await Promise.all(cluster.servers.map((server) => server.ask("KEYS", "*:vector1:*")));
      return lists.map((list) => list.split("\n").filter(Boolean).length);
    };
    await eventually(async () => (await vectors()).reduce((sum, count) => sum + count, 0) === 64);
    expect(Math.min(...(await vectors()))).toBeGreaterThan(0);
    const found = await machines.ask(1, texts);
    expect(found.headers.get("x-embedgate-cache")).toBe("hit=64, miss=0");

    const sent = await Promise.all(Array.from({ length: 20 }, (_, i) => machines.ask(i % 2, "text0")));
    expect(sent.filter(({ status }) => status === 200)).toHaveLength(3);
    for (const { gateway } of machines.gateways)
      expect(await gateway.metrics.text()).not.toContain("embedgate_shared_failures_total{");
  });

  test("that loses a server uses its replica as soon as that has taken over", async () => {
    await using cluster = await startCluster();
    await using replica = await startServer(...CLUSTER);
    const [, , lost = expect.unreachable()] = cluster.servers;
    const id = await lost.ask("CLUSTER", "MYID");
    const as = ["--cluster-slave", "--cluster-master-id", id];
    await cluster.first.ask("--cluster", "add-node", addressOf(replica), addressOf(cluster.first), ...as);
    await eventually(async () =>
      (await replica.ask("INFO", "replication")).includes("master_link_status:up"),
    );
    const client = connectValkey(cluster.first.url);
    await client.begun;
    // On all servers.
    const keys = Array.from({ length: 24 }, (_, i) => `{${i}}`);
    const answers = async () => {
      const settled = await Promise.allSettled(keys.map((key) => client.call("SET", [key, 1])));
      return settled.filter(({ status }) => status === "fulfilled").length;
    };
    expect(await answers()).toBe(24);
    await lost.kill();
    expect(await answers()).toBeLessThan(24);
    await eventually(async () => (await answers()) === 24);
    client.close();
  }, 40_000);
});
