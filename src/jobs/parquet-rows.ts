/**
 * Parquet: one column of text, read one row group at a time, so that memory holds only the largest row group of a file.
 * A new compression is a line of COMPRESSORS.
 */
import { brotliDecompressSync } from "node:zlib";
import {
  type AsyncBuffer,
  asyncBufferFromFile,
  type Compressors,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";
import { WrongUsage } from "../terminal/wrong-usage";
import { type Rows, rowAt } from "./rows";

/** In addition to Snappy, which the library supports itself. */
const COMPRESSORS: Compressors = {
  GZIP: (bytes) => Bun.gunzipSync(Uint8Array.from(bytes)),
  ZSTD: (bytes) => Bun.zstdDecompressSync(Uint8Array.from(bytes)),
  BROTLI: (bytes) => brotliDecompressSync(bytes),
};

const ROWS_AT_ONCE = 4_096;

/** @param field a column, or the dotted path of a nested one. @throws WrongUsage if there is no such column */
export async function* parquetRows(path: string, field: string): Rows {
  const file: AsyncBuffer = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file).catch((cause: unknown) => {
    throw new WrongUsage(`${path} is not a Parquet file: ${cause instanceof Error ? cause.message : cause}`);
  });
  const columns = parquetSchema(metadata).children.map(({ element }) => element.name);
  // A column's own name may contain a dot.
  const names = columns.includes(field) ? [field] : field.split(".");
  const [column = ""] = names;
  if (!columns.includes(column))
    throw new WrongUsage(
      `${path} has no column '${column}' (--field): its columns are ${columns.join(", ")}`,
    );
  let start = 0;
  for (const { num_rows } of metadata.row_groups) {
    const end = start + Number(num_rows);
    const found = await parquetReadObjects({
      file,
      metadata,
      columns: [column],
      rowStart: start,
      rowEnd: end,
      compressors: COMPRESSORS,
    });
    for (let from = 0; from < found.length; from += ROWS_AT_ONCE)
      yield found.slice(from, from + ROWS_AT_ONCE).map((row) => rowAt(row, names));
    start = end;
  }
}
