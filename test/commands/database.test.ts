/**
 * Which database a command works on, and that no database, workspace or customer is created by accident: as a user types it, from source.
 */
import { expect, test } from "bun:test";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { placeOf } from "../../src/stores/postgres/address";
import { runCommand } from "../command-line";
import { startServing, temporaryFolder } from "../serving";
import { databaseIn, onSqliteAlone } from "../stores/on-postgres";

const FILE = { "gateway.yaml": "providers: { local: { plugin: local } }\n" };
const READERS = [
  ["keys", "list"],
  ["workspaces", "list"],
  ["workspaces", "show", "a"],
  ["usage"],
  ["invoice", "a"],
  ["credits", "show", "a"],
  ["spaces", "list"],
];

const BY_ADMINISTRATORS = "a server's database is made by who administers it";

test.skipIf(onSqliteAlone(BY_ADMINISTRATORS)).each(READERS.map((args) => [args.join(" "), args] as const))(
  "%s makes no database, with a routing file or without",
  async (_, args) => {
    for (const files of [{}, FILE]) {
      using folder = temporaryFolder(files);
      const { code, errors } = await runCommand(args, { folder: folder.path });
      expect([code, errors]).toEqual([1, expect.stringContaining(join(folder.path, "data/embedgate.db"))]);
      expect(existsSync(join(folder.path, "data"))).toBe(false);
    }
  },
);

test.skipIf(onSqliteAlone(BY_ADMINISTRATORS))(
  "keys create and workspaces create make a database if a routing file or --create-database says where",
  async () => {
    for (const args of [
      ["keys", "create", "--name", "x"],
      ["workspaces", "create", "x"],
    ]) {
      using wrong = temporaryFolder();
      const refused = await runCommand(args, { folder: wrong.path });
      expect([refused.code, refused.out]).toEqual([1, ""]);
      expect(refused.errors).toContain(`There is no ${join(wrong.path, "gateway.yaml")}`);
      expect(readdirSync(wrong.path)).toEqual([]);
      expect((await runCommand([...args, "--create-database"], { folder: wrong.path })).code).toBe(0);
      using right = temporaryFolder(FILE);
      const { code, errors } = await runCommand(args, { folder: right.path });
      expect([code, errors]).toEqual([0, expect.stringContaining("data/embedgate.db (new)")]);
    }
  },
);

test("each command says which database it works on, and whether a gateway runs on it; not where it prints JSON", async () => {
  using folder = temporaryFolder(FILE);
  await using gateway = await startServing(folder.path);
  const server = databaseIn(folder.path);
  const path = server ? placeOf(server.config.url) : join(folder.path, "data/embedgate.db");
  const running = await runCommand(["keys", "list"], { folder: folder.path });
  expect(running.errors).toBe(`database: ${path} (a gateway is running on it: process ${gateway.pid})\n`);
  expect((await runCommand(["keys", "list", "--json"], { folder: folder.path })).errors).toBe("");
  gateway.signal("SIGTERM");
  await gateway.ended();
  const ended = await runCommand(["usage"], { folder: folder.path });
  expect(ended.errors).toBe(`database: ${path} (no gateway is running on it)\n`);
});

test("a misspelt --workspace is refused, with the nearest name; --create-workspace says what it created", async () => {
  using folder = temporaryFolder(FILE);
  const run = (...args: string[]) => runCommand(args, { folder: folder.path });
  await run("workspaces", "create", "acme");
  const refused = await run("keys", "create", "--name", "x", "--workspace", "acmee");
  expect([refused.code, refused.out]).toEqual([1, ""]);
  expect(refused.errors).toContain('There is no workspace "acmee" (did you mean "acme"?)');
  expect(JSON.parse((await run("keys", "list", "--json")).out)).toEqual([]);
  const made = await run("keys", "create", "--name", "x", "--workspace", "new", "--create-workspace");
  expect([made.code, made.errors]).toEqual([0, expect.stringContaining("new was created: no limit.")]);
  const odd = await run("workspaces", "create", "Bad Name/x");
  expect([odd.code, odd.errors]).toEqual([1, expect.stringContaining("use letters, digits")]);
  const usage = await run("usage", "--workspace", "nosuch");
  expect([usage.code, usage.errors]).toEqual([1, expect.stringContaining('no workspace "nosuch"')]);
});

test("keys create writes only the secret to standard output, and says what the first key ends", async () => {
  using folder = temporaryFolder(FILE);
  const create = () => runCommand(["keys", "create", "--name", "x"], { folder: folder.path });
  const [first, second] = [await create(), await create()];
  for (const { out } of [first, second]) expect(out).toMatch(/^eg-[\w-]+\n$/);
  const ends = "From now on the gateway accepts only requests with a key.";
  expect([first.errors.includes(ends), second.errors.includes(ends)]).toEqual([true, false]);
});

test("times are ISO 8601 in JSON, and a second key of one name is noted", async () => {
  using folder = temporaryFolder(FILE);
  const run = (...args: string[]) => runCommand(args, { folder: folder.path });
  const first = JSON.parse((await run("keys", "create", "--name", "x", "--json")).out);
  expect((await run("keys", "create", "--name", "x")).errors).toContain(
    `note: the key ${first.id} has the name`,
  );
  await run("keys", "revoke", first.id);
  const keys: Record<string, unknown>[] = JSON.parse((await run("keys", "list", "--json")).out);
  const revoked = keys.find(({ id }) => id === first.id);
  for (const time of [revoked?.created_at, revoked?.revoked_at])
    expect(new Date(String(time)).toISOString()).toBe(String(time));
});
