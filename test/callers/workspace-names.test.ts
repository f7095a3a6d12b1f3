/**
 * Renaming a workspace moves everything, and deleting one leaves a ledger that still adds up. Neither happens while a request is in flight.
 */
import { expect, test } from "bun:test";
import { openKeys } from "../../src/callers/keys";
import { openWorkspaceNames, type WorkspaceNames } from "../../src/callers/workspace-names";
import { openWorkspaces } from "../../src/callers/workspaces";
import { openStore, type Store } from "../../src/db/open";
import { fakeOutside } from "../fake-outside";

async function opened() {
  const { outside } = fakeOutside();
  const store = await openStore(":memory:", outside);
  const workspaces = openWorkspaces(store, () => ({}), outside);
  return { store, workspaces, keys: openKeys(store, outside), names: openWorkspaceNames(store, outside) };
}

/** A row as in the ledger; status 0 is a request in flight. */
function addRow({ database }: Store, workspace: string, status: number): void {
  database.run(
    `INSERT INTO ledger (request_id, started_at, workspace, model, inputs, tokens, tokens_upstream, tokens_billed, status, latency_ms, cost_pico_usd)
     VALUES (?1, 0, ?2, 'm', 1, 1, 1, 1, ?3, 1, 7)`,
    [`req_${workspace}_${status}`, workspace, status],
  );
  database.run("INSERT INTO spending (workspace, day, cost_pico_usd) VALUES (?1, '1970-01-01', 7)", [
    workspace,
  ]);
}

const named = ({ database }: Store, name: string) =>
  ["keys", "ledger", "credit_grants", "spending"].map((table) =>
    Number(
      Object(database.query(`SELECT count(*) AS count FROM ${table} WHERE workspace = ?1`).get(name)).count,
    ),
  );

test("after a rename, its keys, credits, spending and ledger have the new name, and nothing the old one", async () => {
  const { store, workspaces, keys, names } = await opened();
  await workspaces.create("acme", {}, 5_000_000n);
  await workspaces.grant("acme", 1_000_000n, "more");
  const { key } = await keys.create("k", "acme");
  addRow(store, "acme", 200);
  const before = named(store, "acme");
  await names.rename("acme", "acme-eu");
  expect(named(store, "acme")).toEqual([0, 0, 0, 0]);
  expect(named(store, "acme-eu")).toEqual(before);
  expect(keys.find(key)).toMatchObject({ workspace: "acme-eu" });
  expect(await workspaces.show("acme-eu")).toMatchObject({ micro_credits: 6_000_000n });
  store.close();
});

test("after deletion, its keys are refused, and its grants add up to nothing; the ledger stays", async () => {
  const { store, workspaces, keys, names } = await opened();
  await workspaces.create("acme", {}, 5_000_000n);
  const { key } = await keys.create("k", "acme");
  addRow(store, "acme", 200);
  expect(await names.remove("acme")).toBe(1);
  expect(keys.find(key)).toBeUndefined();
  expect(workspaces.exists("acme")).toBe(false);
  expect((await workspaces.grants("acme")).reduce((sum, { micro_credits }) => sum + micro_credits, 0n)).toBe(
    0n,
  );
  expect(named(store, "acme")[1]).toBe(1);
  store.close();
});

const BOTH: readonly (readonly [string, (names: WorkspaceNames, name: string) => Promise<unknown>])[] = [
  ["renamed", (names, name) => names.rename(name, "other")],
  ["deleted", (names, name) => names.remove(name)],
];

test.each(BOTH)(
  "is not %s while a request is in flight, nor the default one, nor one that is not there",
  async (_, change) => {
    const { store, workspaces, names } = await opened();
    await workspaces.create("acme", {}, null);
    addRow(store, "acme", 0);
    expect(change(names, "acme")).rejects.toThrow("in flight");
    expect(change(names, "default")).rejects.toThrow("cannot be renamed or deleted");
    expect(change(names, "nobody")).rejects.toThrow('no workspace "nobody"');
    store.close();
  },
);

test("cannot be renamed to a name that is or was in use", async () => {
  const { store, workspaces, names } = await opened();
  for (const name of ["acme", "taken"]) await workspaces.create(name, {}, null);
  addRow(store, "gone", 200);
  for (const name of ["taken", "gone"])
    expect(names.rename("acme", name)).rejects.toThrow("is or was another workspace's");
  expect(names.rename("acme", "a b")).rejects.toThrow("use letters");
  store.close();
});
