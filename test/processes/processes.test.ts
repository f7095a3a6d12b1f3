/**
 * Several processes on one port: what must happen once happens once, dead processes are replaced, and counts are exact.
 * Real processes, one upstream; nothing waits for a fixed time. On a system that cannot share a port there is nothing to test.
 */
import { describe, expect, test } from "bun:test";
import { postTo, startServing, startUpstream, temporaryFolder } from "../serving";
import { query } from "../stores/query";
import { byTwo, copiesOf } from "./copies";

const underWay = (folder: string) =>
  query(
    folder,
    "SELECT process, error, count(*) AS count FROM ledger WHERE status = 0 GROUP BY 1, 2 ORDER BY 2",
  );

describe.skipIf(process.platform !== "linux")("two processes", () => {
  test("start, serve on one port, and end together on SIGTERM with 0", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
    await using child = await startServing(folder.path);
    expect(copiesOf(child.pid)).toHaveLength(2);
    const answers = await Promise.all(
      Array.from(
        { length: 32 },
        async (_, i) => (await postTo(child.url, { model: "m", input: `${i}` })).status,
      ),
    );
    expect(answers).toEqual(Array(32).fill(200));
    expect(await query(folder.path, "SELECT count(DISTINCT process) AS count FROM ledger")).toEqual([
      { count: 2 },
    ]);
    child.signal("SIGTERM");
    expect(await child.ended()).toBe(0);
    await child.silent();
  });

  test("a killed one is replaced, and only its own rows are interrupted", async () => {
    using upstream = startUpstream({ holds: true });
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
    await using child = await startServing(folder.path);
    const [killed = 0, other = 0] = copiesOf(child.pid);
    const answers = Array.from({ length: 32 }, (_, i) =>
      postTo(child.url, { model: "m", input: `${i}` }).then(
        ({ status }) => status,
        () => "broken",
      ),
    );
    await upstream.reached(32);
    process.kill(killed, "SIGKILL");
    await child.logged("requests were in flight when a process died");
    await child.logged("has been replaced");
    const rows = await underWay(folder.path);
    expect(rows).toMatchObject([{ error: null }, { error: "interrupted" }]);
    const copies = copiesOf(child.pid);
    expect(copies).toHaveLength(2);
    expect(copies).toContain(other);
    expect(copies).not.toContain(killed);
    upstream.release();
    const outcomes = await Promise.all(answers);
    const broken = outcomes.filter((outcome) => outcome === "broken").length;
    expect(outcomes.filter((outcome) => outcome === 200)).toHaveLength(32 - broken);
    expect(await underWay(folder.path)).toMatchObject([{ error: "interrupted", count: broken }]);
    expect((await postTo(child.url, { model: "m", input: "and on" })).status).toBe(200);
  });

  test("end when their supervisor is killed", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
    await using child = await startServing(folder.path);
    child.signal("SIGKILL");
    await child.silent();
    await using next = await startServing(folder.path);
    expect((await postTo(next.url, { model: "m", input: "a" })).status).toBe(200);
  });

  test("answer requests in flight when all of them are told to end at once, as a service manager does", async () => {
    using upstream = startUpstream({ holds: true });
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
    await using child = await startServing(folder.path);
    const answers = Array.from({ length: 16 }, (_, i) => postTo(child.url, { model: "m", input: `${i}` }));
    await upstream.reached(16);
    for (const pid of [...copiesOf(child.pid), child.pid]) process.kill(pid, "SIGTERM");
    await child.logged("have grace_ms to finish");
    upstream.release();
    const statuses = await Promise.all(answers.map(async (answer) => (await answer).status));
    expect(statuses).toEqual(Array(16).fill(200));
    expect(await child.ended()).toBe(0);
    expect(await underWay(folder.path)).toEqual([]);
  });

  test("do not share a port with a gateway that is already there", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
    await using child = await startServing(folder.path);
    await expect(startServing(folder.path, [], child.port)).rejects.toThrow(
      `Cannot serve on 127.0.0.1:${child.port}`,
    );
  });

  test("spend a balance to its last credit, and not more", async () => {
    using upstream = startUpstream();
    // One credit per token, and one token per text.
    const money = `
money: { credits_per_usd: 1000 }
workspace_defaults: { credits: 10 }
`;
    const priced = byTwo(upstream, money).replace("routes:", "price: 1000, routes:");
    using folder = temporaryFolder({ "gateway.yaml": priced });
    await using child = await startServing(folder.path);
    const statuses = await Promise.all(
      Array.from(
        { length: 500 },
        async (_, i) => (await postTo(child.url, { model: "m", input: `${i}` })).status,
      ),
    );
    expect(statuses.filter((status) => status === 200)).toHaveLength(10);
    expect(statuses.filter((status) => status === 402)).toHaveLength(490);
    expect(await query(folder.path, "SELECT micro_credits, micro_credits_held FROM workspaces")).toEqual([
      { micro_credits: 0, micro_credits_held: 0 },
    ]);
  });

  test("count together, whichever is asked, and lose nothing with a killed one", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
    await using child = await startServing(folder.path);
    const ask = () =>
      Promise.all(Array.from({ length: 32 }, (_, i) => postTo(child.url, { model: "m", input: `${i}` })));
    const counted = async () => {
      const texts = await Promise.all(
        Array.from({ length: 16 }, async () =>
          (await fetch(`${child.url}/metrics`, { keepalive: false })).text(),
        ),
      );
      return new Set(
        texts.map((text) =>
          text
            .split("\n")
            .filter((line) => /^embedgate_requests_(total|in_flight)/.test(line))
            .join(),
        ),
      );
    };
    const total = (count: number) =>
      new Set([
        `embedgate_requests_total{model="m",status="200",code="none"} ${count},embedgate_requests_in_flight 0`,
      ]);
    await ask();
    expect(await counted()).toEqual(total(32));
    process.kill(copiesOf(child.pid)[0] ?? 0, "SIGKILL");
    await child.logged("has been replaced");
    await ask();
    expect(await counted()).toEqual(total(64));
  });

  test("find at once what the other has cached", async () => {
    let calls = 0;
    using upstream = startUpstream({ onCall: () => calls++ });
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream, "cache: { memory_mb: 8 }\n") });
    await using child = await startServing(folder.path);
    // Except for its id, which is each request's own.
    const answerOf = async (response: Response) =>
      (await response.text()).replace(/"id":"req_\w+"/, '"id":""');
    const first = await answerOf(await postTo(child.url, { model: "m", input: "a" }));
    const others = await Promise.all(
      Array.from({ length: 32 }, async () => {
        const response = await postTo(child.url, { model: "m", input: "a" });
        return [response.headers.get("x-embedgate-cache"), await answerOf(response)];
      }),
    );
    expect(others).toEqual(Array(32).fill(["hit=1, miss=0", first]));
    expect(calls).toBe(1);
    expect(await query(folder.path, "SELECT count(DISTINCT process) AS count FROM ledger")).toEqual([
      { count: 2 },
    ]);
  });

  test("both load a changed routing file, and neither loads an invalid one", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": byTwo(upstream) });
    await using child = await startServing(folder.path);
    const statusesOf = (model: string) =>
      Promise.all(
        Array.from(
          { length: 32 },
          async (_, i) => (await postTo(child.url, { model, input: `${i}` })).status,
        ),
      );
    folder.write("gateway.yaml", byTwo(upstream).replace("models: {", "models: { wrong: 1,"));
    await child.logged("config reload failed");
    expect(await statusesOf("m")).toEqual(Array(32).fill(200));
    folder.write("gateway.yaml", byTwo(upstream).replace("models: { m:", "models: { n:"));
    await child.logged("config reloaded");
    expect(await statusesOf("n")).toEqual(Array(32).fill(200));
    expect(await statusesOf("m")).toEqual(Array(32).fill(404));
  });
});
