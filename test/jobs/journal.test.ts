/** The journal: a line that a crash cut off is ignored, and removed before more is written after it. */
import { expect, test } from "bun:test";
import { appendFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { openJournal, readJournal } from "../../src/jobs/journal";
import { differenceOf, type Plan } from "../../src/jobs/plan";
import { temporaryFolder } from "../serving";

const PLAN: Plan = {
  version: 1,
  model: "m",
  through: "routing file",
  dimensions: null,
  input_type: null,
  prompt: null,
  treatment: "",
  field: "text",
  rows: 10,
  digest: "00",
  output: "npy f32",
  chunk: { inputs: 2, tokens: 100, bytes: 100 },
};
const MADE = { dimensions: 8, space: "m" };
const BOOT = "boot-1";
const chunk = (number: number) => ({ chunk: number, tokens: 2, cost: "40000" });

test("what was written is read, except for an incomplete last line", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "journal");
  expect((await readJournal(path, BOOT)).plan).toBeUndefined();
  const first = await openJournal(path);
  await first.write([{ plan: PLAN }, { run: "embed-1" }]);
  await first.write([{ made: MADE }, chunk(0), chunk(2)]);
  await first.close();
  appendFileSync(path, '{"chunk":1,"tok');
  const before = { plan: PLAN, runs: ["embed-1"], made: MADE, chunks: [chunk(0), chunk(2)] };
  expect(await readJournal(path, BOOT)).toEqual(before);
  const second = await openJournal(path);
  await second.write([{ run: "embed-2" }, chunk(1)]);
  await second.close();
  expect(await readJournal(path, BOOT)).toEqual({
    ...before,
    runs: ["embed-1", "embed-2"],
    chunks: [chunk(0), chunk(2), chunk(1)],
  });
  expect(readFileSync(path, "utf8").split("\n")).toHaveLength(8);
});

test("after a crash of the machine only records whose vectors were on the disk count", async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, "journal");
  const journal = await openJournal(path);
  await journal.write([{ plan: PLAN }, { run: "embed-1", boot: BOOT }, { made: MADE }]);
  await journal.write([chunk(0), chunk(1), chunk(2), { synced: 2 }, chunk(3)]);
  await journal.close();
  expect((await readJournal(path, BOOT)).chunks).toEqual([chunk(0), chunk(1), chunk(2), chunk(3)]);
  const kept = { plan: PLAN, runs: ["embed-1"], made: MADE, chunks: [chunk(0), chunk(1)] };
  expect(await readJournal(path, "boot-2")).toEqual(kept);
  const next = await openJournal(path);
  await next.write([{ run: "embed-2", boot: "boot-2" }, chunk(2), chunk(3), { synced: 3 }]);
  await next.close();
  // A third boot of the machine, or an unknown one.
  for (const boot of ["boot-3", undefined])
    expect((await readJournal(path, boot)).chunks).toEqual([chunk(0), chunk(1), chunk(2)]);
});

test("a file that is no journal is refused, with the line", async () => {
  using folder = temporaryFolder({ journal: '{"run":"embed-1"}\n{"rows":1}\n' });
  await expect(readJournal(join(folder.path, "journal"), BOOT)).rejects.toThrow(
    "journal, line 2: this is no journal",
  );
});

test("every difference between two plans is named", () => {
  expect(differenceOf(PLAN, { ...PLAN, chunk: { inputs: 9, tokens: 9, bytes: 9 } })).toBeUndefined();
  expect(differenceOf(PLAN, { ...PLAN, model: "n", prompt: "query" })).toBe(
    "--model: was m, is n; --prompt: was not given, is query",
  );
});
