/** Part of the one suite for every database (ledger.test.ts says how): files, batches and who works on them, and what was handed to providers. */
import { describe, expect, test } from "bun:test";
import { KINDS, POSTGRES_URL, postgresDatabase } from "./databases";
import { batchOf, fileOf, NOON } from "./rows";

const DAY_MS = 86_400_000;
const LEASE_MS = 30_000;
const now = () => NOON;

const idsOf = (all: readonly { readonly id: string }[]) => all.map(({ id }) => id);

for (const { name, isThere, make } of KINDS) {
  describe.skipIf(!isThere)(name, () => {
    test("files belong to a workspace, are listed by page, and are deleted unless an open batch reads them", async () => {
      await using database = make();
      const records = (await database.open({ now })).openBatchRecords();
      for (const id of ["file-1", "file-2", "file-3"]) await records.putFile(fileOf(id, NOON + 10));
      await records.putFile(fileOf("file-4"));
      expect(await records.file("file-1", "team", NOON)).toEqual(fileOf("file-1", NOON + 10));
      expect(await records.file("file-1", "other", NOON)).toBeUndefined();
      expect(await records.file("file-1", "team", NOON + 10)).toBeUndefined();
      const page = (after: string | undefined, order: "asc" | "desc", purpose?: string) =>
        records.files("team", purpose, NOON, { after, limit: 2, order });
      expect(idsOf(await page(undefined, "asc"))).toEqual(["file-1", "file-2"]);
      expect(idsOf(await page("file-2", "asc", "batch"))).toEqual(["file-3", "file-4"]);
      expect(idsOf(await page("file-2", "desc"))).toEqual(["file-1"]);
      expect(await page(undefined, "asc", "batch_output")).toEqual([]);
      expect(await records.bytesOf("team")).toBe(12_000_000_000);
      expect(await records.bytesOf("nobody")).toBe(0);
      await records.putBatch(batchOf("batch_1"));
      expect(await records.removeFile("file-1")).toBe("batch_1");
      expect((await records.takeExpired(NOON + 10)).toSorted()).toEqual(["file-2", "file-3"]);
      expect(await records.isKnown("file-1")).toBe(true);
      expect(await records.isKnown("file-2")).toBe(false);
      expect(await records.namesAny("file-1")).toBe(true);
      expect(await records.removeFile("file-4")).toBeUndefined();
      // The batch is still open.
      expect(await records.namesAny("file-1")).toBe(true);
      await records.change("batch_1", { status: "cancelled" });
      expect([await records.namesAny("file-1"), await records.namesAny("file-2")]).toEqual([false, true]);
      expect(await records.isKnown("file-4")).toBe(false);
    });

    test("a batch is what was stored and changed, and goes from one status to the next", async () => {
      await using database = make();
      const records = (await database.open({ now })).openBatchRecords();
      const made = batchOf("batch_1", { idempotency_key: "k", request_hash: "h" });
      expect(await records.putBatch(made)).toBe(true);
      expect(await records.putBatch(batchOf("batch_2", { idempotency_key: "k" }))).toBe(false);
      expect(await records.putBatch(batchOf("batch_2", { workspace: "other", idempotency_key: "k" }))).toBe(
        true,
      );
      expect(await records.byIdempotencyKey("team", "k")).toMatchObject(made);
      expect(await records.batch("batch_1", "other")).toBeUndefined();
      await records.begin("batch_1", 5);
      await records.change("batch_1", { lines_completed: 1, tokens: 7, output_file_id: "file-9" });
      expect(await records.batch("batch_1")).toMatchObject({
        ...made,
        status: "in_progress",
        in_progress_at: 5,
        lines_completed: 1,
        tokens: 7,
        output_file_id: "file-9",
      });
      expect(await records.countOpen()).toBe(2);
      expect(await records.cancel("batch_1", 6)).toBe(true);
      expect(await records.cancel("batch_1", 7)).toBe(false);
      expect(await records.finalize("batch_1", 8)).toBe(false);
      await records.change("batch_1", { status: "cancelled", cancelled_at: 9 });
      expect(await records.isKnown("batch_1")).toBe(false);
      await records.begin("batch_2", 5);
      expect(await records.finalize("batch_2", 6)).toBe(true);
      expect(await records.countOpen()).toBe(1);
      await records.putBatch(batchOf("batch_3"));
      const page = { after: undefined, limit: 10, order: "desc" } as const;
      expect(idsOf(await records.batches("team", page))).toEqual(["batch_3", "batch_1"]);
    });

    test("a batch belongs to one process until its lease is over, or it leaves it; workspaces with the fewest come first", async () => {
      await using database = make();
      let time = NOON;
      const records = (await database.open({ now: () => time })).openBatchRecords();
      for (const [id, workspace] of [
        ["batch_1", "busy"],
        ["batch_2", "busy"],
        ["batch_3", "team"],
      ] as const)
        await records.putBatch(batchOf(id, { workspace, created_at: NOON + Number(id.at(-1)) }));
      const claim = async (owner: string) => (await records.claim(owner, time, LEASE_MS))?.id;
      expect([await claim("one"), await claim("two"), await claim("two")]).toEqual([
        "batch_1",
        "batch_3",
        "batch_2",
      ]);
      expect(await claim("three")).toBeUndefined();
      time += LEASE_MS - 1;
      expect(await records.renew("batch_1", "one", time, LEASE_MS)).toBe(true);
      expect(await records.renew("batch_1", "two", time, LEASE_MS)).toBe(false);
      time += 1;
      expect(await claim("three")).toBe("batch_3");
      expect(await records.renew("batch_3", "two", time, LEASE_MS)).toBe(false);
      await records.leave("three", "batch_3");
      expect([await claim("four"), await claim("four"), await claim("four")]).toEqual([
        "batch_3",
        "batch_2",
        undefined,
      ]);
      await records.leave("one");
      expect(await claim("four")).toBe("batch_1");
      await records.leave(undefined);
      expect(await claim("five")).toBeDefined();
    });

    test("files and batches go with their workspace when it is renamed", async () => {
      await using database = make();
      const stores = await database.open({ now });
      const records = stores.openBatchRecords();
      await stores.openWorkspaces(() => ({})).create("team", {}, null);
      await records.putFile(fileOf("file-1"));
      await records.putBatch(batchOf("batch_1"));
      await stores.openWorkspaceNames().rename("team", "crew");
      expect(await records.file("file-1", "crew", NOON)).toEqual({ ...fileOf("file-1"), workspace: "crew" });
      expect((await records.batch("batch_1", "crew"))?.workspace).toBe("crew");
    });

    test("what was sent to a provider's own batch service is found by its tag", async () => {
      await using database = make();
      const records = (await database.open({ now })).openUpstreamRecords();
      const record = {
        batch: "batch_1",
        provider: "p",
        model: "m",
        words: "w",
        from_line: 1,
        to_line: 9,
        upstream_id: null,
        has_ended: false,
      };
      await records.put({ ...record, tag: "b", place: 1 });
      await records.put({ ...record, tag: "a", place: 0 });
      await records.submitted("a", "their-id");
      await records.ended("a");
      expect(await records.of("batch_1")).toEqual([
        { ...record, tag: "a", place: 0, upstream_id: "their-id", has_ended: true },
        { ...record, tag: "b", place: 1 },
      ]);
      expect(await records.of("batch_2")).toEqual([]);
    });
  });
}

describe.skipIf(POSTGRES_URL === undefined)("batches on several machines", () => {
  test("each is claimed by one, however many ask at once", async () => {
    await using database = postgresDatabase();
    const machines = await Promise.all([database.open(), database.open(), database.open()]);
    const all = machines.map((stores) => stores.openBatchRecords());
    for (let i = 0; i < 12; i++) await all[0]?.putBatch(batchOf(`batch_${i}`));
    const claimed: string[] = [];
    await Promise.all(
      all.map(async (records, i) => {
        // A machine that finds all others locked asks again, as a gateway does.
        for (let tries = 0; tries < 20 && claimed.length < 12; tries++) {
          const batch = await records.claim(`machine ${i}`, 0, LEASE_MS);
          if (batch) claimed.push(batch.id);
        }
      }),
    );
    expect([claimed.length, new Set(claimed).size]).toEqual([12, 12]);
  });

  test("the lease uses the database's clock, whatever a machine's clock says", async () => {
    await using database = postgresDatabase();
    const records = (await database.open()).openBatchRecords();
    await records.putBatch(batchOf("batch_1"));
    await records.claim("late", 0, LEASE_MS);
    expect(await records.claim("early", Date.now() + DAY_MS, LEASE_MS)).toBeUndefined();
    const [row] = await database.ask<{ left: number }>(
      "SELECT (lease_ends_at - extract(epoch FROM now()) * 1000)::integer AS left FROM @batches",
    );
    expect(row?.left).toBeWithin(LEASE_MS - 5_000, LEASE_MS + 1);
  });
});
