/** Which process runs a batch: one at a time, and another one once the lease has expired or the process is known to be dead. */
import { afterEach, expect, test } from "bun:test";
import { createRunner } from "../../src/batches/runner";
import { type Held, haltOf } from "../../src/batches/running";
import type { BatchRecord, BatchRecords } from "../../src/books/batch-records";
import { type FakeOutside, fakeOutside, STARTED_AT } from "../fake-outside";
import { TIMERS } from "../stores/counted";
import type { TestDatabase } from "../stores/databases";
import { testDatabase } from "../stores/on-postgres";

const DAY_MS = 86_400_000;

function batchOf(id: string, workspace = "w", createdAt = STARTED_AT): BatchRecord {
  const none = {
    key_id: null,
    metadata: null,
    errors: null,
    model: null,
    in_progress_at: null,
    finalizing_at: null,
    completed_at: null,
    failed_at: null,
    expired_at: null,
    cancelling_at: null,
    cancelled_at: null,
    output_file_id: null,
    error_file_id: null,
    output_expires_after: null,
    idempotency_key: null,
    request_hash: null,
  };
  const counts = { lines: 1, lines_completed: 0, lines_failed: 0, tokens: 0 };
  const times = { created_at: createdAt, expires_at: createdAt + DAY_MS };
  return { id, workspace, input_file_id: "file-x", status: "validating", ...none, ...counts, ...times };
}

interface World {
  readonly fake: FakeOutside;
  readonly records: BatchRecords;
  /** A process with that name; what it works on goes to `held`. */
  process(name: string): {
    readonly runner: ReturnType<typeof createRunner>;
    readonly held: Map<string, Held>;
  };
}

const databases: TestDatabase[] = [];
afterEach(async () => {
  for (const database of databases.splice(0)) await database[Symbol.asyncDispose]();
});

async function world(...batches: readonly BatchRecord[]): Promise<World> {
  const fake = fakeOutside();
  const database = testDatabase();
  databases.push(database);
  const records = (await database.open({ ...TIMERS, now: fake.outside.now })).openBatchRecords();
  for (const batch of batches) await records.putBatch(batch);
  return {
    fake,
    records,
    process(name) {
      const held = new Map<string, Held>();
      const runner = createRunner({
        records,
        owner: name,
        checkStays: () => undefined,
        outside: fake.outside,
        async run(one) {
          held.set(one.batch.id, one);
          // Until somebody stops it.
          if (!one.halt.aborted)
            await new Promise<void>((resolve) => one.halt.addEventListener("abort", resolve));
          held.delete(one.batch.id);
        },
      });
      return { runner, held };
    },
  };
}

test("one process works on a batch until it leaves it", async () => {
  const { fake, process } = await world(batchOf("batch_1"));
  const [one, other] = [process("one"), process("other")];
  await one.runner.start(true);
  await other.runner.start(false);
  await fake.advance(120_000);
  expect([[...one.held.keys()], [...other.held.keys()]]).toEqual([["batch_1"], []]);
  await fake.until(one.runner.stop());
  await fake.advance(10_000);
  expect([[...one.held.keys()], [...other.held.keys()]]).toEqual([[], ["batch_1"]]);
  await fake.until(other.runner.stop());
  expect(fake.sleeping()).toEqual([]);
});

test("the batch of a dead process goes to another once the lease has expired, or at once if the death is known", async () => {
  for (const isKnown of [false, true]) {
    const { fake, records, process } = await world(batchOf("batch_1"));
    // It claims the batch, and is never heard of again.
    await records.claim("dead", STARTED_AT, 30_000);
    const other = process("other");
    await other.runner.start(false);
    if (isKnown) await other.runner.ended("dead");
    await fake.advance(isKnown ? 0 : 25_000);
    expect([...other.held.keys()]).toEqual(isKnown ? ["batch_1"] : []);
    await fake.advance(10_000);
    expect([...other.held.keys()]).toEqual(["batch_1"]);
    await fake.until(other.runner.stop());
  }
});

test("a process that has lost its lease stops", async () => {
  const { fake, records, process } = await world(batchOf("batch_1"));
  const one = process("one");
  await one.runner.start(true);
  await fake.advance(0);
  const held = one.held.get("batch_1");
  expect(held?.isLost()).toBe(false);
  await records.leave("one");
  await records.claim("other", fake.outside.now(), 3_600_000);
  await fake.advance(5_000);
  expect([held?.isLost(), held && haltOf(held.halt), one.held.size]).toEqual([true, "left", 0]);
  await fake.until(one.runner.stop());
});

test("learns that its batch is to be cancelled by another process, or has expired", async () => {
  const { fake, records, process } = await world(batchOf("batch_1"), {
    ...batchOf("batch_2"),
    expires_at: STARTED_AT + 60_000,
  });
  const one = process("one");
  await one.runner.start(true);
  await fake.advance(0);
  const [first, second] = [one.held.get("batch_1"), one.held.get("batch_2")];
  await records.cancel("batch_1", fake.outside.now());
  await fake.advance(5_000);
  expect([first && haltOf(first.halt), second?.halt.aborted]).toEqual(["cancelled", false]);
  await records.change("batch_1", { status: "cancelled" });
  await fake.advance(60_000);
  expect(second && haltOf(second.halt)).toBe("expired");
  await fake.until(one.runner.stop());
});

test("a workspace with many batches does not starve another one", async () => {
  const many = Array.from({ length: 6 }, (_, i) => batchOf(`batch_${i}`, "busy", STARTED_AT + i));
  const { fake, process } = await world(...many, batchOf("batch_z", "other", STARTED_AT + 100));
  const one = process("one");
  await one.runner.start(true);
  await fake.advance(0);
  expect([...one.held.keys()]).toEqual(["batch_0", "batch_z", "batch_1", "batch_2"]);
  await fake.until(one.runner.stop());
});

test("a gateway without batches has no timer for them", async () => {
  const { fake, process } = await world();
  const one = process("one");
  await one.runner.start(true);
  await fake.advance(60_000);
  expect(fake.sleeping()).toEqual([]);
});
