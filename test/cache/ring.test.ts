/**
 * Vectors in memory that processes share: an entry of one process is found by another bit for bit, or not at all.
 * The ring is small, so that it wraps around often.
 */
import { afterEach, describe, expect, test } from "bun:test";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { createRingFile, openRing } from "../../src/cache/ring";
import type { NamelessFile } from "../../src/machine/nameless-file";
import { fakeOutside } from "../fake-outside";
import { entry, keyOf, written } from "./made";

const BYTES = 2 ** 20;
const files: NamelessFile[] = [];

function file(bytes = BYTES): NamelessFile {
  const made = createRingFile(`ring-test-${process.pid}-${files.length}`, bytes);
  files.push(made);
  return made;
}

function opened(bytes = BYTES, { descriptor } = file(bytes)) {
  const { outside, logs } = fakeOutside();
  const ring = openRing({ descriptor, bytes }, outside);
  if (ring === undefined) throw new Error("it is of another version");
  return { ring, logs, descriptor };
}

afterEach(() => {
  for (const made of files.splice(0)) made.close();
});

describe.skipIf(process.platform !== "linux")("a ring", () => {
  test("gives another process what one has stored, and nobody another key's numbers", () => {
    const { ring, descriptor } = opened();
    const other = opened(BYTES, { descriptor, close() {} }).ring;
    const given = entry(1, 100);
    ring.keep(keyOf("a"), given);
    given.values.fill(0);
    expect(written(other.find(keyOf("a")))).toEqual(written(entry(1, 100)));
    other.find(keyOf("a"))?.values.fill(0);
    expect(written(ring.find(keyOf("a")))).toEqual(written(entry(1, 100)));
    expect(ring.find(keyOf("b"))).toBeUndefined();
    other.keep(keyOf("a"), entry(2, 50));
    expect(written(ring.find(keyOf("a")))).toEqual(written(entry(2, 50)));
  });

  test("keeps what is used, and drops what is not, however often it wraps around", () => {
    const { ring } = opened();
    ring.keep(keyOf("used"), entry(7, 200));
    for (let number = 0; number < 5_000; number++) {
      ring.keep(keyOf(number), entry(number, 200));
      if (number % 50 === 0) expect(written(ring.find(keyOf("used")))).toEqual(written(entry(7, 200)));
    }
    expect(ring.find(keyOf(0))).toBeUndefined();
    expect(written(ring.find(keyOf(4_999)))).toEqual(written(entry(4_999, 200)));
    expect(ring.bytes()).toBeLessThanOrEqual(BYTES);
  });

  test("finds nothing in a damaged row", () => {
    const { ring, descriptor } = opened();
    ring.keep(keyOf("a"), entry(1, 100));
    const damage = new Uint8Array(BYTES).fill(0x5a);
    // Everything except the head of the row, wherever the row starts.
    writeSync(descriptor, damage, 0, damage.length, 8_192 + 32);
    expect(ring.find(keyOf("a"))).toBeUndefined();
  });

  test("stores nothing larger than a quarter, nothing at all with 0 bytes, and no more than its size", () => {
    const { ring, logs } = opened();
    ring.keep(keyOf("large"), entry(1, 100_000));
    expect(ring.find(keyOf("large"))).toBeUndefined();
    ring.keep(keyOf("a"), entry(1));
    ring.resize(0);
    expect(ring.find(keyOf("a"))).toBeUndefined();
    ring.keep(keyOf("b"), entry(2));
    ring.resize(2 * BYTES);
    expect(ring.find(keyOf("b"))).toBeUndefined();
    expect(logs).toMatchObject([{ level: "warn", message: expect.stringContaining("only after a restart") }]);
  });

  test("that three processes use at full speed never gives a vector of another key", async () => {
    const bytes = 256 * 1024;
    const { descriptor } = file(bytes);
    const found = await Promise.all(
      [1, 2, 3].map(async (seed) => {
        const child = Bun.spawn(
          [
            process.execPath,
            join(import.meta.dir, "hammers-ring.ts"),
            "3",
            String(bytes),
            "20000",
            String(seed),
          ],
          { stdio: ["ignore", "pipe", "inherit", descriptor] },
        );
        const counts: { found: number; wrong: number } = JSON.parse(await new Response(child.stdout).text());
        return counts;
      }),
    );
    expect(found.map(({ wrong }) => wrong)).toEqual([0, 0, 0]);
    for (const { found: count } of found) expect(count).toBeGreaterThan(1_000);
  });
});
