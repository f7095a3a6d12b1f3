/**
 * OUT.parquet: one column `embedding`, a list of float32 per row, null for a row without one. The embedded Arrow schema says that all lists
 * have the same size, so that readers that know Arrow return vectors (FixedSizeList).
 */
import { fileWriter, ParquetWriter } from "hyparquet-writer";
import { createCollecting } from "../machine/collecting";
import type { Finished } from "./finished";

const COLUMN = "embedding";

/** Numbers per row group: the library keeps several copies of each while it writes a group. */
const NUMBERS_IN_GROUP = 512 * 1024;
/** The overhead that the library keeps per number. */
const BYTES_A_NUMBER = 64;

/** Lists as the format defines them: https://github.com/apache/parquet-format/blob/master/LogicalTypes.md#lists. */
const SCHEMA: ConstructorParameters<typeof ParquetWriter>[0]["schema"] = [
  { name: "schema", num_children: 1 },
  {
    name: COLUMN,
    repetition_type: "OPTIONAL",
    num_children: 1,
    converted_type: "LIST",
    logical_type: { type: "LIST" },
  },
  { name: "list", repetition_type: "REPEATED", num_children: 1 },
  { name: "element", type: "FLOAT", repetition_type: "REQUIRED" },
];

export async function writeParquet(path: string, finished: Finished): Promise<void> {
  const { file, without, made, model, turn } = finished;
  const { rows, dimensions } = file;
  const writer = fileWriter(path);
  const parquet = new ParquetWriter({
    writer,
    schema: SCHEMA,
    // Compression makes vectors no smaller, only slower.
    codec: "UNCOMPRESSED",
    statistics: false,
    kvMetadata: [
      { key: "ARROW:schema", value: arrowSchema(dimensions) },
      { key: "embedgate.model", value: model },
      { key: "embedgate.space", value: made.space },
    ],
    createdBy: "embedgate",
  });
  const collect = createCollecting();
  const step = Math.max(1, Math.floor(NUMBERS_IN_GROUP / dimensions));
  for (let from = 0; from < rows; from += step) {
    const count = Math.min(step, rows - from);
    const values = await file.read(from, count);
    const data: (number[] | null)[] = [];
    for (let place = 0; place < count; place++) {
      const vector = values.subarray(place * dimensions, (place + 1) * dimensions);
      data.push(without.has(from + place) ? null : Array.from(vector));
    }
    // A dictionary is useless for numbers that are all different.
    await parquet.write({ columnData: [{ name: COLUMN, data, encoding: "PLAIN" }], rowGroupSize: step });
    collect(count * dimensions * BYTES_A_NUMBER);
    await turn();
  }
  await parquet.finish();
}

/**
 * The Arrow schema of a fixed-size list of float32 named `embedding`, as `pyarrow.Schema.serialize` writes it for lists of SIZE, the only
 * number in it that depends on the vectors (pyarrow, `pa.list_(pa.field("element", pa.float32(), nullable=False), 0x12345678)`).
 */
const ARROW_SCHEMA =
  "/////8AAAAAQAAAAAAAKAAwABgAFAAgACgAAAAABBAAMAAAACAAIAAAABAAIAAAABAAAAAEAAAAUAAAAEAAUAAgABgAHAAwAAAAQABAAAAAAAAEQFAAAACQAAAAEAAAAAQAAADAAAAAJAAAAZW1iZWRkaW5nAAYACAAEAAYAAAB4VjQSEAAUAAgAAAAHAAwAAAAQABAAAAAAAAADEAAAACAAAAAEAAAAAAAAAAcAAABlbGVtZW50AAAABgAIAAYABgAAAAAAAQA=";
const SIZE = 0x12345678;

function arrowSchema(dimensions: number): string {
  const bytes = Buffer.from(ARROW_SCHEMA, "base64");
  const size = Buffer.alloc(4);
  size.writeInt32LE(SIZE);
  bytes.writeInt32LE(dimensions, bytes.indexOf(size));
  return bytes.toString("base64");
}
