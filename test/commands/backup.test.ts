/** `embedgate backup` and `restore` as they are typed, beside a gateway that serves. */
import { expect, test } from "bun:test";
import { existsSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { BatchObject, FileObject } from "../../src/batches/objects";
import { sqlitePath } from "../../src/commands/only-sqlite";
import { ENDPOINT, inputOf } from "../batches/opened";
import { runCommand } from "../command-line";
import { postTo, startServing, startUpstream, temporaryFolder, vectorOf, wireTo } from "../serving";
import { query } from "../stores/query";

const Asked = Type.Object({ input: Type.Array(Type.String()) });

test("a backup of a serving gateway has every answered request; a restore requires the gateway to end", async () => {
  using upstream = startUpstream();
  using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
  const run = (...args: string[]) => runCommand(args, { folder: folder.path });
  const none = await run("backup", "b.db");
  expect([none.code, none.errors]).toEqual([1, expect.stringContaining("There is no database at")]);
  await using gateway = await startServing(folder.path);
  for (const input of ["a", "b", "c"]) await (await postTo(gateway.url, { model: "m", input })).json();
  const made = await run("backup", "b.db", "--json");
  expect([made.code, JSON.parse(made.out)]).toEqual([0, expect.objectContaining({ ledger_rows: 3 })]);
  await (await postTo(gateway.url, { model: "m", input: "d" })).json();
  const refused = await run("restore", "b.db");
  expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining(`process ${gateway.pid}`)]);
  gateway.signal("SIGTERM");
  await gateway.ended();
  const restored = await run("restore", "b.db");
  expect([restored.code, restored.out]).toEqual([0, expect.stringContaining("with 3 ledger rows")]);
  expect(JSON.parse((await run("usage", "--json")).out)).toEqual([expect.objectContaining({ requests: 3 })]);
  const kept = readdirSync(join(folder.path, "data")).find((name) => /\.before-.*Z$/.test(name));
  expect((await run("restore", `data/${kept}`)).code).toBe(0);
  expect(JSON.parse((await run("usage", "--json")).out)).toEqual([expect.objectContaining({ requests: 4 })]);
});

/** Uploads a file of texts, and creates a batch from it. */
async function beginBatch(url: string, texts: readonly string[]): Promise<{ file: string; batch: string }> {
  const form = new FormData();
  form.set("purpose", "batch");
  form.set("file", new Blob([inputOf(texts)]), "in.jsonl");
  const uploaded = await (await fetch(`${url}/v1/files`, { method: "POST", body: form })).json();
  const { id: file } = Value.Parse(FileObject, uploaded);
  const created = await postJson(`${url}/v1/batches`, { input_file_id: file, ...ENDPOINT });
  return { file, batch: Value.Parse(BatchObject, created).id };
}

const postJson = async (url: string, body: object): Promise<unknown> =>
  (
    await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
    })
  ).json();

async function ended(url: string, id: string): Promise<Static<typeof BatchObject>> {
  for (;;) {
    const batch = Value.Parse(BatchObject, await (await fetch(`${url}/v1/batches/${id}`)).json());
    if (["completed", "failed"].includes(batch.status)) return batch;
    await Bun.sleep(10);
  }
}

test("files of batches are in the backup and come back; a batch that was at work is finished, and nothing is charged twice", async () => {
  let calls = 0;
  const held = Promise.withResolvers<void>();
  const isThere = Promise.withResolvers<void>();
  using provider = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { input } = Value.Parse(Asked, await request.json());
      calls += 1;
      // The second batch's second line waits.
      if (input.includes("four")) {
        isThere.resolve();
        await held.promise;
      }
      return Response.json({
        data: input.map((text, index) => ({ index, embedding: vectorOf(text) })),
        usage: { prompt_tokens: input.length },
      });
    },
  });
  const yaml = `
server: { drain_ms: 0, grace_ms: 100 }
space_probe: false
providers: { wire: { plugin: openai, base_url: "http://127.0.0.1:${provider.port}/v1" } }
models: { m: { routes: [ { provider: wire } ], price: 1000, max_inputs: 1 } }
`;
  using folder = temporaryFolder({ "gateway.yaml": yaml });
  const run = (...args: string[]) => runCommand(args, { folder: folder.path });
  const files = join(folder.path, "data/embedgate.db-files");
  const charged = () => query(folder.path, "SELECT sum(tokens_billed) AS sum FROM ledger");
  let first: Static<typeof BatchObject>;
  let second: { file: string; batch: string };
  let before: string;
  {
    await using gateway = await startServing(folder.path);
    const begun = await beginBatch(gateway.url, ["one", "two"]);
    first = await ended(gateway.url, begun.batch);
    before = await (await fetch(`${gateway.url}/v1/files/${first.output_file_id}/content`)).text();
    second = await beginBatch(gateway.url, ["three", "four"]);
    await isThere.promise;
    while (calls < 4) await Bun.sleep(5);
    const made = await run("backup", "b.db", "--json");
    expect([made.code, JSON.parse(made.out).files]).toEqual([
      0,
      { folder: join(folder.path, "b.db-files"), count: 3, missing: 0, bytes: expect.any(Number) },
    ]);
    // Later batches are not in the backup.
    await beginBatch(gateway.url, ["five"]);
    for (const id of [begun.file, first.output_file_id])
      expect((await fetch(`${gateway.url}/v1/files/${id}`, { method: "DELETE" })).status).toBe(200);
    gateway.signal("SIGTERM");
    await gateway.ended();
  }
  expect(await run("backup", "b.db")).toMatchObject({ code: 1 });
  held.resolve();
  const restored = await run("restore", "b.db");
  expect([restored.code, restored.out]).toEqual([0, expect.stringContaining("3 files of batches")]);
  expect(readdirSync(join(folder.path, "data")).some((name) => /-files\.before-/.test(name))).toBe(true);
  {
    await using gateway = await startServing(folder.path);
    const found = await fetch(`${gateway.url}/v1/files/${first.output_file_id}/content`);
    expect([found.status, await found.text()]).toEqual([200, before]);
    const done = await ended(gateway.url, second.batch);
    expect(done.request_counts).toEqual({ total: 2, completed: 2, failed: 0 });
    gateway.signal("SIGTERM");
    await gateway.ended();
  }
  expect(await charged()).toEqual([{ sum: 4 }]);
  // If the folder is lost, the database is backed up nevertheless, and the output says what is missing.
  rmSync(files, { recursive: true });
  const poor = await run("backup", "poor.db");
  expect([poor.code, poor.errors]).toEqual([0, expect.stringContaining("Missing files of batches: ")]);
  expect(existsSync(join(folder.path, "poor.db"))).toBe(true);
}, 60_000);

test("a database that is not an SQLite file is refused, naming the tool that copies it", () => {
  const file = { path: "x", durability: "process" as const, postgres: undefined };
  const inMemory = { database: { ...file, path: ":memory:" } };
  expect(() => sqlitePath(inMemory, "backup")).toThrow("in memory");
  const postgres = {
    url: "postgres://db/embedgate",
    schema: "public",
    maxConnections: 4,
    prepare: true,
    onOutage: "refuse" as const,
  };
  const elsewhere = { database: { ...file, postgres } };
  expect(() => sqlitePath(elsewhere, "backup")).toThrow("pg_dump");
  expect(() => sqlitePath(elsewhere, "restore")).toThrow("pg_restore");
  expect(sqlitePath({ database: file }, "backup")).toBe("x");
});
