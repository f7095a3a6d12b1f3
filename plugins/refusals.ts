/**
 * Servers' errors for a text that is too long, for all plugins: a row for each wording, with the server and the version
 * that used it. Wordings of one vendor's own wire are in that vendor's plugin.
 */
import type { Explanation } from "../src/plugin";

interface Refused {
  /** The error's wording; `count` is the server's count, `limit` its limit, `place` the input's position. */
  readonly words: RegExp;
  /** Finds the limit where it comes later in the text. */
  readonly limit?: RegExp;
  readonly saidBy: string;
}

const TOO_LONG: readonly Refused[] = [
  {
    words: /input \((?<count>\d+) tokens\) is too large to process/,
    limit: /current batch size: (?<limit>\d+)/,
    saidBy: "llama.cpp b11549 (xllamacpp 2026.10.11549), with 500; lemonade-sdk/lemonade#3591",
  },
  {
    words: /request \((?<count>\d+) tokens\) exceeds the available context size \((?<limit>\d+) tokens\)/,
    saidBy: "llama.cpp since b6000 or so, with 400",
  },
  {
    words: /exceeds the available context size|input is larger than the max context size/,
    saidBy: "llama.cpp before it",
  },
  {
    words: /requested tokens \((?<count>\d+)\) exceed context window of (?<limit>\d+)/i,
    saidBy: "llama-cpp-python 0.3.36",
  },
  {
    words: /maximum context length is (?<limit>\d+) tokens\D*?(?:requested|has) (?<count>\d+)/i,
    saidBy: "vLLM (vllm-project/vllm#19798), OpenAI",
  },
  {
    words: /(?:'input\[(?<place>\d+)\]': )?maximum (?:context|input) length(?: is (?<limit>\d+))?/i,
    saidBy: "OpenAI (vcmf/dim0#143)",
  },
  {
    words: /input length (?<count>\d+) exceeds maximum allowed token size (?<limit>\d+)/i,
    saidBy: "NVIDIA NIM (langchain-ai/langchain-nvidia#20)",
  },
  {
    // The error does not say which of several inputs is too long.
    words: /must have less than (?<limit>\d+) tokens\. Given: (?<count>\d+)/,
    saidBy: "Hugging Face's text-embeddings-inference, core/src/tokenization.rs",
  },
  {
    words: /(?:the input length|input) exceeds (?:the|maximum) context length/,
    saidBy: "Ollama v0.17.4, server/routes.go",
  },
];

/** @returns undefined where the error is about something else */
export function tooLongIn(
  words: string,
): Pick<Explanation, "kind" | "input" | "tokens" | "tokensMax"> | undefined {
  for (const row of TOO_LONG) {
    const found = row.words.exec(words);
    if (!found) continue;
    const { place, count, limit } = { ...found.groups, ...row.limit?.exec(words)?.groups };
    return {
      kind: "input_too_long",
      ...(place !== undefined && { input: Number(place) }),
      ...(count !== undefined && { tokens: Number(count) }),
      ...(limit !== undefined && { tokensMax: Number(limit) }),
    };
  }
  return undefined;
}
