/** The names of input formats, apart from their readers: --help needs no more. How each is read is in sources.ts. */
export const INPUT_FORMATS = ["lines", "jsonl", "csv", "tsv", "parquet"] as const;
export type InputFormat = (typeof INPUT_FORMATS)[number];
