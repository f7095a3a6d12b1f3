/** A folder of files that is not mounted: no file is written to it or looked for in it, the log says so, and work continues once it is mounted. */
import { afterEach, expect, test } from "bun:test";
import { mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { openMarker } from "../../src/batches/marker";
import { fakeOutside } from "../fake-outside";
import { temporaryFolder } from "../serving";
import type { TestDatabase } from "../stores/databases";
import { testDatabase } from "../stores/on-postgres";
import { inputOf, openBatching, provider, sendJson, YAML } from "./opened";

const databases: TestDatabase[] = [];
afterEach(async () => {
  for (const database of databases.splice(0)) await database[Symbol.asyncDispose]();
});

async function world(isAlone: boolean) {
  const folder = temporaryFolder();
  const database = testDatabase();
  databases.push(database);
  const records = (await database.open()).openBatchRecords();
  const { outside } = fakeOutside({ log: () => {} });
  const open = (name: string) =>
    openMarker({ records, path: join(folder.path, name), isAlone, outside, found: () => {} });
  return { folder, records, open };
}

const NOT_THERE = "The folder of files (files.folder) is not available on this machine";

test("a machine whose folder is another one is refused, whether that is empty or marked by itself", async () => {
  const { folder, open } = await world(false);
  using _folder = folder;
  await open("shared").check();
  expect(readdirSync(folder.path)).not.toContain("shared");
  await open("shared").check(true);
  await open("shared").check(true);
  await expect(open("local").check()).rejects.toThrow(NOT_THERE);
  await expect(open("local").check(true)).rejects.toThrow(NOT_THERE);
  // The folder is not even created.
  expect(readdirSync(folder.path)).not.toContain("local");
});

test("two machines that begin at once with a folder each: one of them is refused", async () => {
  const { folder, open } = await world(false);
  using _folder = folder;
  const both = await Promise.allSettled([open("one").check(true), open("other").check(true)]);
  expect(both.map(({ status }) => status).toSorted()).toEqual(["fulfilled", "rejected"]);
  const shared = await world(false);
  using _shared = shared.folder;
  await Promise.all([shared.open("one").check(true), shared.open("one").check(true)]);
});

test("on one machine a folder that was deleted is begun anew, unless something in it is missed", async () => {
  const { folder, records, open } = await world(true);
  using _folder = folder;
  await open("files").check(true);
  rmSync(join(folder.path, "files"), { recursive: true });
  await open("files").check(true);
  expect(readdirSync(join(folder.path, "files"))).toEqual(["file-folder"]);
  const file = { workspace: "w", filename: "x", purpose: "batch", bytes: 1, created_at: 1 } as const;
  await records.putFile({ ...file, id: "file-1", expires_at: null });
  rmSync(join(folder.path, "files"), { recursive: true });
  await expect(open("files").check()).rejects.toThrow(NOT_THERE);
});

test("a gateway whose folder is away serves embeddings, says it in /readyz and the log, and refuses files until it is back", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "mounted");
  const lines: string[] = [];
  const { fetch } = provider();
  const clock = steppingClock();
  await using batching = await openBatching(fetch, `${YAML}files: { folder: "${path}" }\n`, {
    log: (level, message) => void lines.push(`${level} ${message}`),
    monotonic: clock.monotonic,
  });
  const { open } = batching;
  const ready = async () => Object((await open.send("/readyz")).json).batches;
  const { id } = await batching.upload(inputOf(["a", "b"]));
  expect(await ready()).toBe("ready");
  renameSync(path, `${path}.away`);
  mkdirSync(path);
  clock.step();
  for (const sent of [open.send(`/v1/files/${id}/content`), sendJson(open, "/v1/batches", {})]) {
    const { status, json, headers } = await sent;
    expect([status, headers.get("retry-after"), Object(json).error.message]).toEqual([
      503,
      "10",
      expect.stringContaining(NOT_THERE),
    ]);
  }
  expect(readdirSync(path)).toEqual([]);
  expect([await ready(), (await open.send("/readyz")).status]).toEqual(["folder not mounted", 200]);
  expect((await open.post({ model: "m", input: "c" })).status).toBe(200);
  expect(lines.filter((line) => line.startsWith("error"))).toEqual([
    "error the folder of batches' files is not the right one",
  ]);
  rmSync(path, { recursive: true });
  renameSync(`${path}.away`, path);
  clock.step();
  expect((await open.send(`/v1/files/${id}/content`)).status).toBe(200);
  expect([await ready(), lines.at(-1)]).toEqual([
    "ready",
    "info the folder of batches' files is available again",
  ]);
});

/** Goes on by minutes, when it is told to. */
function steppingClock() {
  let now = 0;
  return {
    monotonic: () => now,
    step() {
      now += 60_000;
    },
  };
}
