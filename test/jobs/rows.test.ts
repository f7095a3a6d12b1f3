/** Readers of input, with files larger than a block and records that do not end at line breaks. */
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { parquetWriteFile } from "hyparquet-writer";
import { csvRows } from "../../src/jobs/csv-rows";
import { plainRows } from "../../src/jobs/line-rows";
import { parquetRows } from "../../src/jobs/parquet-rows";
import type { Row, Rows } from "../../src/jobs/rows";
import { temporaryFolder } from "../serving";

async function all(rows: Rows): Promise<Row[]> {
  return (await Array.fromAsync(rows)).flat();
}

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

describe("CSV", () => {
  test("whatever a quoted field contains is read back", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "in.csv");
    // An empty text is no text, and half of a surrogate pair is no character.
    const text = fc
      .array(fc.constantFrom("a", '"', ",", "\n", "\r\n", "ü", "𝄞", " "), { minLength: 1 })
      .map((some) => some.join(""));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(text, text)),
        fc.constantFrom("\n", "\r\n"),
        async (records, end) => {
          const lines = [["id", "text"], ...records].map((record) => record.map(quoted).join(",") + end);
          await Bun.write(path, lines.join(""));
          expect(await all(csvRows(path, "text", ","))).toEqual(records.map(([, one]) => one));
        },
      ),
      { numRuns: 100 },
    );
  });

  test("records that span blocks are complete", async () => {
    using folder = temporaryFolder();
    const texts = Array.from({ length: 2_000 }, (_, row) => `${row}\n${"x".repeat(row)}"`);
    const path = join(folder.path, "in.csv");
    await Bun.write(path, `text,n\n${texts.map((text, row) => `${quoted(text)},${row}\n`).join("")}`);
    expect(await all(csvRows(path, "text", ","))).toEqual(texts);
  });

  test("a record that is too short has no text; a blank line is no record", async () => {
    using folder = temporaryFolder({ "in.csv": "id,text\n1,one\n\n2\n3,\n" });
    expect(await all(csvRows(join(folder.path, "in.csv"), "text", ","))).toEqual([
      "one",
      { reason: "the record has no column 'text'" },
      { reason: "the text is empty" },
    ]);
  });
});

describe("lines", () => {
  test("are complete across blocks, and one that is not UTF-8 does not affect the others", async () => {
    using folder = temporaryFolder();
    const path = join(folder.path, "in.txt");
    const texts = Array.from({ length: 3_000 }, (_, row) => `${row} ${"ü".repeat(row % 500)}`);
    const bad = Uint8Array.of(0xc3, 0x0a);
    const half = new TextEncoder().encode(`${texts.slice(0, 1_500).join("\n")}\n`);
    await Bun.write(
      path,
      Buffer.concat([half, bad, new TextEncoder().encode(texts.slice(1_500).join("\n"))]),
    );
    const rows = await all(plainRows(path));
    expect(rows[1_500]).toEqual({ reason: "it is not UTF-8" });
    expect(rows.toSpliced(1_500, 1)).toEqual(texts);
  });

  test("may be longer than a block", async () => {
    const long = "long ".repeat(200_000);
    using folder = temporaryFolder({ "in.txt": `${long}\nshort\n` });
    expect(await all(plainRows(join(folder.path, "in.txt")))).toEqual([long, "short"]);
  });
});

describe("Parquet", () => {
  test("row groups follow each other, with their nulls; gzip is read", async () => {
    using folder = temporaryFolder();
    const filename = join(folder.path, "in.parquet");
    const data = Array.from({ length: 250 }, (_, row) => (row % 10 === 3 ? null : `text ${row}`));
    parquetWriteFile({
      filename,
      columnData: [{ name: "body", data, type: "STRING" }],
      rowGroupSize: 100,
      codec: "GZIP",
      compressors: { GZIP: (bytes) => gzipSync(bytes) },
    });
    const expected = data.map((text) => text ?? { reason: "'body' is null, not a string" });
    expect(await all(parquetRows(filename, "body"))).toEqual(expected);
  });
});
