/** Equal texts among more rows than are kept in memory: whatever the order, each row refers to the first with its text. */
import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { openDuplicates } from "../../src/jobs/duplicates";
import { temporaryFolder } from "../serving";

async function firstOf(texts: readonly string[], scratch: string) {
  const duplicates = await openDuplicates(scratch);
  try {
    const hash = new Uint8Array(32);
    for (const [row, text] of texts.entries()) {
      Bun.SHA256.hash(text, hash);
      await duplicates.add(hash, row);
    }
    return { found: await duplicates.find(texts.length), wasWritten: existsSync(scratch) };
  } finally {
    await duplicates.close();
  }
}

test("each row refers to the first with its text, also through the scratch file, which is removed afterwards", async () => {
  using folder = temporaryFolder();
  const scratch = join(folder.path, "hashes");
  // 64 parts keep 2,048 records each before they are written.
  const texts = Array.from({ length: 200_000 }, (_, row) => `text ${(row * 7_919) % 150_000}`);
  const firsts = new Map<string, number>();
  const expected = texts.map((text, row) => {
    if (!firsts.has(text)) firsts.set(text, row);
    return firsts.get(text) ?? row;
  });
  const { found, wasWritten } = await firstOf(texts, scratch);
  expect(wasWritten).toBe(true);
  expect(found).toEqual(Uint32Array.from(expected));
  expect(existsSync(scratch)).toBe(false);
});

test("if all differ there is nothing to keep", async () => {
  using folder = temporaryFolder();
  const texts = Array.from({ length: 1_000 }, (_, row) => `text ${row}`);
  expect((await firstOf(texts, join(folder.path, "hashes"))).found).toBeUndefined();
});
