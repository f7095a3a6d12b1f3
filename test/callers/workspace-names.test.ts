/**
 * Renaming a workspace moves everything, and deleting one leaves a ledger that still adds up. Neither happens while a request is in flight.
 */
import { expect, test } from "bun:test";
import type { WorkspaceNames } from "../../src/callers/workspace-names";
import type { TestDatabase } from "../stores/databases";
import { ON_POSTGRES, testDatabase } from "../stores/on-postgres";

async function opened() {
  const database = testDatabase();
  const stores = await database.open();
  const workspaces = stores.openWorkspaces(() => ({}));
  return { database, workspaces, keys: stores.openKeys(), names: stores.openWorkspaceNames() };
}

/** A row as in the ledger; status 0 is a request in flight. */
async function addRow({ ask }: TestDatabase, workspace: string, status: number): Promise<void> {
  await ask(
    `INSERT INTO @ledger (request_id, started_at, workspace, model, inputs, tokens, tokens_upstream, tokens_billed, status, latency_ms, cost_pico_usd)
     VALUES ('req_${workspace}_${status}', 0, '${workspace}', 'm', 1, 1, 1, 1, ${status}, 1, 7)`,
  );
  // On a server what a workspace has spent is in its own row.
  if (!ON_POSTGRES)
    await ask(
      `INSERT INTO @spending (workspace, day, cost_pico_usd) VALUES ('${workspace}', '1970-01-01', 7)`,
    );
}

async function named({ ask }: TestDatabase, name: string): Promise<number[]> {
  const counts = [];
  for (const table of ["keys", "ledger", "credit_grants", ...(ON_POSTGRES ? [] : ["spending"])]) {
    const [row] = await ask(`SELECT count(*) AS count FROM @${table} WHERE workspace = '${name}'`);
    counts.push(Number(Object(row).count));
  }
  return counts;
}

test("after a rename, its keys, credits, spending and ledger have the new name, and nothing the old one", async () => {
  const { database, workspaces, keys, names } = await opened();
  await using _database = database;
  await workspaces.create("acme", {}, 5_000_000n);
  await workspaces.grant("acme", 1_000_000n, "more");
  const { key } = await keys.create("k", "acme");
  await addRow(database, "acme", 200);
  const before = await named(database, "acme");
  await names.rename("acme", "acme-eu");
  expect(await named(database, "acme")).toEqual(before.map(() => 0));
  expect(await named(database, "acme-eu")).toEqual(before);
  expect(keys.find(key)).toMatchObject({ workspace: "acme-eu" });
  expect(await workspaces.show("acme-eu")).toMatchObject({ micro_credits: 6_000_000n });
});

test("after deletion, its keys are refused, and its grants add up to nothing; the ledger stays", async () => {
  const { database, workspaces, keys, names } = await opened();
  await using _database = database;
  await workspaces.create("acme", {}, 5_000_000n);
  const { key } = await keys.create("k", "acme");
  await addRow(database, "acme", 200);
  expect(await names.remove("acme")).toBe(1);
  expect(keys.find(key)).toBeUndefined();
  expect(workspaces.exists("acme")).toBe(false);
  expect((await workspaces.grants("acme")).reduce((sum, { micro_credits }) => sum + micro_credits, 0n)).toBe(
    0n,
  );
  expect((await named(database, "acme"))[1]).toBe(1);
});

const BOTH: readonly (readonly [string, (names: WorkspaceNames, name: string) => Promise<unknown>])[] = [
  ["renamed", (names, name) => names.rename(name, "other")],
  ["deleted", (names, name) => names.remove(name)],
];

test.each(BOTH)(
  "is not %s while a request is in flight, nor the default one, nor one that is not there",
  async (_, change) => {
    const { database, workspaces, names } = await opened();
    await using _database = database;
    await workspaces.create("acme", {}, null);
    await addRow(database, "acme", 0);
    await expect(change(names, "acme")).rejects.toThrow("in flight");
    await expect(change(names, "default")).rejects.toThrow("cannot be renamed or deleted");
    await expect(change(names, "nobody")).rejects.toThrow('no workspace "nobody"');
  },
);

test("cannot be renamed to a name that is or was in use", async () => {
  const { database, workspaces, names } = await opened();
  await using _database = database;
  for (const name of ["acme", "taken"]) await workspaces.create(name, {}, null);
  await addRow(database, "gone", 200);
  for (const name of ["taken", "gone"])
    await expect(names.rename("acme", name)).rejects.toThrow("is or was another workspace's");
  await expect(names.rename("acme", "a b")).rejects.toThrow("use letters");
});
