/** `embedgate backup` and `restore` as they are typed, beside a gateway that serves. */
import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { sqlitePath } from "../../src/commands/only-sqlite";
import { runCommand } from "../command-line";
import { postTo, startServing, startUpstream, temporaryFolder, wireTo } from "../serving";

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
