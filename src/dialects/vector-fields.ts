/**
 * Fields that change a vector, in the words of vendors and of servers: dimensions, type, pooling, length, task, and what happens to a
 * text that is too long. No policy lets them be ignored or forwarded unchecked: a client that requested int8 and gets floats misreads them.
 * A new word is a line of SHAPE_WORDS or WORDS; unlisted ones are recognised by parts of their name (SHAPE_LIKE, LIKE).
 */
import { spelling } from "../domain/spelling";
import { TASK_FIELDS } from "../domain/task-words";

/** Dimensions under another name than OpenAI's: read as `dimensions`. */
const SIZE_WORDS = [
  "output_dimension",
  "output_dimensions",
  "output_dimensionality",
  "embedding_dimension",
  "output_embedding_length",
];

/** If such a field is ignored, the client misreads the answer: numbers of another type, another size, another length. */
const SHAPE_WORDS: readonly string[] = [
  ...SIZE_WORDS,
  "truncate_dim",
  "matryoshka_dim",
  "output_dtype",
  "embed_dtype",
  "dtype",
  "embedding_type",
  "embedding_types",
  "encoding_type",
  "output_type",
  "quantization",
  "precision",
  "endianness",
  "normalize",
  "normalized",
  "normalize_embeddings",
  "embd_normalize",
  "pooling",
  "pooling_type",
  "pooling_mode",
  "late_chunking",
];

const WORDS: readonly string[] = [
  ...SHAPE_WORDS,
  ...TASK_FIELDS,
  "embedding_purpose",
  "prompt",
  "prompt_template",
  "instruction",
  "instruct",
  // What happens to a text that is too long.
  "truncate",
  "truncation",
  "auto_truncate",
  "truncate_prompt_tokens",
  "truncation_direction",
  "truncation_side",
  "truncation_mode",
  "max_tokens",
  "max_length",
  "add_special_tokens",
];

const known = new Set(WORDS.map(spelling));
const shapes = new Set(SHAPE_WORDS.map(spelling));
const sizes = new Set(SIZE_WORDS.map(spelling));

/** Parts of a normalised name that a client has no reason to send unless it wants a different vector. */
const SHAPE_LIKE =
  /dimension|(?:^|embedding|vector|output|target|hidden|num|max|n)(?:dims?|size)$|matryoshka|dtype|datatype|outputformat|vectortype|quanti[sz]|binari[sz]|precision|normali[sz]|pooling|^pool$|multivector|sparse|colbert/;
/** `text_type` is DashScope's, `truncate_input_tokens` IBM watsonx's, `input_text_truncate` was seen at proxies. */
const LIKE =
  /truncat|instruct|^prefix|^suffix|prefix$|suffix$|^prompttype|^texttype|^querytype|^isquery$|^isdocument$|^lora|^adapter|^layers?$|maxseq|maxinputtokens|chunking|^overlap$|^title$/;

export function changesVector(name: string): boolean {
  const spelt = spelling(name);
  return known.has(spelt) || SHAPE_LIKE.test(spelt) || LIKE.test(spelt);
}
export function changesShape(name: string): boolean {
  const spelt = spelling(name);
  return shapes.has(spelt) || SHAPE_LIKE.test(spelt);
}
/** If it were sent on without being understood, the answer's numbers would be misread: of another type, size or length. */
export const changesNumbers = (name: string) =>
  changesShape(name) && !/pooling|latechunking/.test(spelling(name));
export const meansSize = (name: string) => sizes.has(spelling(name));

const types = new Set([
  "outputdtype",
  "embeddtype",
  "dtype",
  "embeddingtype",
  "embeddingtypes",
  // LlamaIndex's word for it at Jina.
  "encodingtype",
  "outputtype",
  "datatype",
]);

/** A type that vectors have anyway. */
export function asksForFloats(name: string, value: unknown): boolean {
  const asked: readonly unknown[] = Array.isArray(value) ? value : [value];
  const areFloats = asked.length > 0 && asked.every((type) => type === "float" || type === "float32");
  return types.has(spelling(name)) && areFloats;
}
