/** The names of input formats, without their readers: --help needs no more. sources.ts has the readers. */
export const INPUT_FORMATS = ["lines", "jsonl", "csv", "tsv", "parquet"] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];
