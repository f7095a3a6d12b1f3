/**
 * The fixed texts that identify an embedding space, each of a kind that servers of one model were seen to treat differently.
 * A change of the texts raises PROBES_VERSION (fingerprints of other texts are measured again) and needs measurements on real servers first:
 * docs/spaces-measured.md. Every measurement costs 588 tokens in BERT's vocabulary, 512 of them for the long text.
 */
export const PROBES_VERSION = 3;

/** Names of the kinds, which operators see. */
export type ProbeKind =
  | "plain English"
  | "one word"
  | "case"
  | "accents"
  | "decomposed accents"
  | "Cyrillic"
  | "Greek"
  | "Arabic"
  | "Hebrew"
  | "Devanagari"
  | "Thai"
  | "Hangul"
  | "Kana"
  | "Han"
  | "emoji"
  | "a very long word"
  | "numbers"
  | "code"
  | "blanks"
  | "wide letters and ligatures"
  | "quotation marks"
  | "special tokens"
  | "a long text";

export interface Probe {
  readonly kind: ProbeKind;
  readonly text: string;
}

/** Tokens of the long text in BERT's vocabulary, without [CLS] and [SEP]: slightly above 256 and, with those, slightly above 512. */
export const LONG_TEXT_TOKENS = 512;

/** A server that cuts it at 256 tokens sees only weather; one word is one token in every vocabulary in use. */
const LONG_TEXT = [
  ...Array.from({ length: 254 }, (_, i) => ["rain", "wind", "snow", "storm"][i % 4]),
  ...Array.from({ length: 258 }, (_, i) => ["gold", "price", "market", "bank"][i % 4]),
].join(" ");

export const PROBES: readonly Probe[] = [
  { kind: "plain English", text: "The quick brown fox jumps." },
  { kind: "plain English", text: "Revenue rose by 12%." },
  // The shorter a text, the more quantisation changes its vector.
  { kind: "one word", text: "no." },
  { kind: "one word", text: "ok" },
  { kind: "case", text: "HELLO" },
  { kind: "accents", text: "caf\u00e9" },
  { kind: "decomposed accents", text: "nai\u0308ve" },
  { kind: "accents", text: "Vi\u1ec7t" },
  { kind: "Cyrillic", text: "Ёж" },
  { kind: "Greek", text: "ώρα" },
  { kind: "Arabic", text: "سَلام" },
  { kind: "Hebrew", text: "שלום" },
  { kind: "Devanagari", text: "हिन्दी" },
  { kind: "Thai", text: "ไทย" },
  { kind: "Hangul", text: "한글" },
  { kind: "Kana", text: "がく" },
  { kind: "Kana", text: "ネコ" },
  { kind: "Han", text: "世界" },
  { kind: "emoji", text: "👩\u200d💻 hi" },
  { kind: "a very long word", text: "abc".repeat(50) },
  { kind: "numbers", text: "3.14159" },
  { kind: "code", text: "f(x)=y;" },
  { kind: "blanks", text: " a\t\tb\n" },
  { kind: "wide letters and ligatures", text: "\ufb01x \uff21" },
  { kind: "quotation marks", text: "don\u2019t" },
  // BERT's, and that of XLM-R, T5 and Llama: llama-cpp-python 0.3.36 reads them as text, llama.cpp's own server as tokens.
  { kind: "special tokens", text: "[MASK] a" },
  { kind: "special tokens", text: "a</s>" },
  { kind: "a long text", text: LONG_TEXT },
];

export const isLong = ({ kind }: Probe) => kind === "a long text";

/** One vector for each of PROBES; undefined if the server refused the text because of its length. */
export type Measurement = readonly (Float32Array | undefined)[];
