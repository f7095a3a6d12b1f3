/**
 * The fixed texts that an embedding space is known by, each of a kind: what servers of one model are seen to treat differently.
 * A change of the texts raises PROBES_VERSION (fingerprints of other texts are measured again) and is measured on real servers first:
 * docs/spaces-measured.md. They are paid for with every measurement: 583 tokens in BERT's vocabulary, 512 of them the long text's.
 */
export const PROBES_VERSION = 2;

/** In the words that operators read. */
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
  | "a long text";

export interface Probe {
  readonly kind: ProbeKind;
  readonly text: string;
}

/** So many tokens the long text has in BERT's vocabulary, without [CLS] and [SEP]: just past 256 and, with those, just past 512. */
export const LONG_TEXT_TOKENS = 512;

/** A server that cuts it at 256 tokens sees weather alone; one word is one token in every vocabulary in use. */
const LONG_TEXT = [
  ...Array.from({ length: 254 }, (_, i) => ["rain", "wind", "snow", "storm"][i % 4]),
  ...Array.from({ length: 258 }, (_, i) => ["gold", "price", "market", "bank"][i % 4]),
].join(" ");

export const PROBES: readonly Probe[] = [
  { kind: "plain English", text: "The quick brown fox jumps." },
  { kind: "plain English", text: "Revenue rose by 12%." },
  // The shorter a text, the more its vector is bent by quantisation.
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
  { kind: "a long text", text: LONG_TEXT },
];

export const isLong = ({ kind }: Probe) => kind === "a long text";

/** A vector for each of PROBES; undefined where the server refused the text for its length. */
export type Measurement = readonly (Float32Array | undefined)[];
