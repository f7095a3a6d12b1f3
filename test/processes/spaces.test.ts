/**
 * Embedding spaces with several processes: one measures, and its result applies in all of them.
 * measurements.test.ts has which process measures.
 */
import { describe, expect, test } from "bun:test";
import { postTo, startServing, startUpstream, temporaryFolder, vectorOf } from "../serving";
import { query } from "../stores/query";

const probesOf = (folder: string) =>
  query(
    folder,
    "SELECT provider, count(*) AS count FROM ledger WHERE workspace = 'embedgate' GROUP BY 1 ORDER BY 1",
  );

describe.skipIf(process.platform !== "linux")("two processes", () => {
  test("measure each route of a model once, and all know the result", async () => {
    let calls = 0;
    using first = startUpstream();
    using second = startUpstream({ onCall: () => calls++ });
    const yaml = `
server: { processes: 2 }
providers:
  first: { plugin: openai, base_url: "${first.url}" }
  second: { plugin: openai, base_url: "${second.url}" }
models: { m: { routes: [ { provider: first }, { provider: second } ] } }
`;
    using folder = temporaryFolder({ "gateway.yaml": yaml });
    await using child = await startServing(folder.path);
    // A request that forces a route waits until it is measured, in whichever process.
    const forced = { "x-embedgate-provider": "second" };
    const statuses = await Promise.all(
      Array.from(
        { length: 32 },
        async () => (await postTo(child.url, { model: "m", input: "a" }, forced)).status,
      ),
    );
    expect(statuses).toEqual(Array(32).fill(200));
    expect(await probesOf(folder.path)).toEqual([
      { provider: "first", count: 1 },
      { provider: "second", count: 1 },
    ]);
    expect(calls).toBeGreaterThan(1);
  });

  test("both stop a route that one of them has found to be in another space", async () => {
    const yaml = (url: string) => `
server: { processes: 2 }
providers: { p: { plugin: openai, base_url: "${url}" } }
models: { m: { routes: [ { provider: p } ] } }
`;
    using before = startUpstream();
    using after = startUpstream({ vector: (text) => vectorOf(`another ${text}`) });
    using folder = temporaryFolder({ "gateway.yaml": yaml(before.url) });
    {
      await using child = await startServing(folder.path);
      expect((await postTo(child.url, { model: "m", input: "a" })).status).toBe(200);
      while ((await query(folder.path, "SELECT name FROM spaces")).length === 0)
        await new Promise((turn) => setImmediate(turn));
    }
    folder.write("gateway.yaml", yaml(after.url));
    await using child = await startServing(folder.path);
    const statuses = await Promise.all(
      Array.from({ length: 32 }, async () => (await postTo(child.url, { model: "m", input: "a" })).status),
    );
    expect(statuses).toEqual(Array(32).fill(503));
    // A route that seems to differ is measured twice: by one process.
    expect(await probesOf(folder.path)).toEqual([{ provider: "p", count: 3 }]);
    const notices = await Promise.all(
      Array.from({ length: 32 }, async () =>
        (await fetch(`${child.url}/admin/notices`, { keepalive: false })).json(),
      ),
    );
    const notice = { space: "m", provider: "p", model: "m", out_of_service: true };
    for (const told of notices) expect(told).toMatchObject({ notices: [notice] });
  });
});
