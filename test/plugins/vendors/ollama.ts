/**
 * Ollama's /api/embed as server/routes.go has it (ollama/ollama, EmbedHandler): what it refuses, what it answers with nothing, what it cuts.
 * A model's window counts a token a word, so that a test can say what is too long. Messages marked "remembered" have no public source.
 */
import { exactVector } from "../../../plugins/fake";
import type { Vendor } from "../conformance";
import { firstTokens, tokensIn, tokensOf } from "./word-tokens";

interface Model {
  readonly dimensions: number;
  readonly window: number;
  /** It cuts whatever `truncate` says (ollama/ollama#14259). */
  readonly cutsSilently?: boolean;
}

const MODELS: Readonly<Record<string, Model>> = {
  "nomic-embed-text": { dimensions: 768, window: 2048 },
  "all-minilm": { dimensions: 384, window: 256 },
  "bge-m3": { dimensions: 1024, window: 2048, cutsSilently: true },
};
/** A text that has this word makes the model give NaN (ollama/ollama#14657, #15582). */
export const POISON = "\u2060poison\u2060";
/** EmbedRequest; gin's binding ignores every other field silently, and a test must see it. */
const FIELDS = ["model", "input", "truncate", "dimensions", "options", "keep_alive"];

class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

export function ollamaVendor(model = "nomic-embed-text"): Vendor {
  return {
    fetch: async (url, init) => respond(url, init),
    vectorOf: (text) => exactVector(text, MODELS[model]?.dimensions ?? 0),
    tokensOf: tokensIn,
    replyBody: (vectors) => JSON.stringify({ model, embeddings: vectors.map(({ values }) => [...values]) }),
    errorBody: (message) => JSON.stringify({ error: message }),
    indexed: false,
  };
}

function respond(url: string, init: RequestInit): Response {
  const headers = { "content-type": "application/json; charset=utf-8" };
  try {
    return new Response(JSON.stringify(answer(url, init)), { headers });
  } catch (thrown) {
    if (!(thrown instanceof Refusal)) throw thrown;
    return new Response(JSON.stringify({ error: thrown.message }), { status: thrown.status, headers });
  }
}

function answer(url: string, init: RequestInit): object {
  const { host, pathname } = new URL(url);
  // gin's own page for a path that there is not: text, but JSON here, so that it is read as a refusal.
  if (host !== "localhost:11434" || pathname !== "/api/embed" || init.method !== "POST")
    throw new Refusal(404, "404 page not found");
  const text = String(init.body);
  if (text === "") throw new Refusal(400, "missing request body");
  const body: unknown = JSON.parse(text);
  if (typeof body !== "object" || body === null) throw new Refusal(400, "invalid request");
  const { model: name, input, truncate, dimensions, options } = Object(body);
  const unknown = Object.keys(body).find((key) => !FIELDS.includes(key));
  if (unknown !== undefined) throw new Error(`Ollama would pass over '${unknown}'.`);
  const texts = textsOf(input);
  const model = MODELS[String(name).replace(/:latest$/, "")];
  if (!model) throw new Refusal(404, `model "${name}" not found, try pulling it first`);
  if (texts.length === 0) return { model: name, embeddings: [] };
  const window = Math.min(Number(Object(options).num_ctx ?? model.window), model.window);
  const kept = texts.map((one) => keptOf(one, window, model.cutsSilently === true || truncate !== false));
  // encoding/json's own word for it
  if (kept.some((one) => one.includes(POISON)))
    throw new Refusal(500, "failed to encode response: json: unsupported value: NaN");
  return {
    model: name,
    embeddings: kept.map((one) => [...exactVector(one, sizeOf(dimensions, model))]),
    total_duration: 14143917,
    load_duration: 1019500,
    prompt_eval_count: tokensIn(kept),
  };
}

/** A string that is empty is no input; one in a list is. */
function textsOf(input: unknown): readonly string[] {
  if (input === undefined || input === null) return [];
  if (typeof input === "string") return input === "" ? [] : [input];
  if (!Array.isArray(input)) throw new Refusal(400, "invalid input type");
  return input.map((one: unknown) => {
    if (typeof one !== "string") throw new Refusal(400, "invalid input type");
    return one;
  });
}

function keptOf(text: string, window: number, cuts: boolean): string {
  if (tokensOf(text) <= window) return text;
  if (!cuts) throw new Refusal(400, "the input length exceeds the context length");
  return firstTokens(text, window);
}

/** A size above the model's own is ignored (EmbedHandler: `req.Dimensions < len(embedding)`). */
function sizeOf(asked: unknown, { dimensions }: Model): number {
  return typeof asked === "number" && asked > 0 && asked < dimensions ? asked : dimensions;
}
