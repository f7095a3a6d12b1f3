/**
 * What an embedding is for, in every vendor's word: what a request may say, and which word a target is sent.
 * A further vendor's words are a row of SAID, with their source.
 */
import { describe, expect, test } from "bun:test";
import { Type } from "@sinclair/typebox";
import { checkProvider } from "../../src/config/provider-shape";
import type { Target } from "../../src/domain/request";
import { TASK_FIELDS, TASKS, type Task } from "../../src/domain/task-words";
import { sameness, withTask, wordFor } from "../../src/domain/tasks";
import type { TaskWords } from "../../src/plugin";
import { requestFor, routeTo } from "../execute/opened";

/** By task: words in the vendors' spelling. */
const SAID: Readonly<Record<Task, readonly string[]>> = {
  // ai.google.dev/api/embeddings (TaskType) · docs.cohere.com/v2/reference/embed · docs.voyageai.com · api.jina.ai/openapi.json ·
  // docs.nvidia.com/nim · Amazon Nova's embeddingPurpose.
  query: [
    "RETRIEVAL_QUERY",
    "search_query",
    "query",
    "retrieval.query",
    "Query",
    "GENERIC_RETRIEVAL",
    "TEXT_RETRIEVAL",
  ],
  document: [
    "RETRIEVAL_DOCUMENT",
    "search_document",
    "document",
    "retrieval.passage",
    "passage",
    "GENERIC_INDEX",
  ],
  similarity: ["SEMANTIC_SIMILARITY", "text-matching"],
  classification: ["CLASSIFICATION", "classification"],
  clustering: ["CLUSTERING", "clustering", "separation"],
  question_answering: ["QUESTION_ANSWERING"],
  fact_verification: ["FACT_VERIFICATION"],
  code_query: ["CODE_RETRIEVAL_QUERY", "code.query", "nl2code.query"],
  code_document: ["code.passage", "nl2code.passage"],
};

const asked = (fields: Readonly<Record<string, unknown>>) => withTask(requestFor(["a"], { fields }));

function targetOf(tasks: TaskWords | undefined, task_types?: string[]): Target {
  const upstream = { embed: () => Promise.reject(new Error("It is not asked.")) };
  const facts = task_types === undefined ? {} : { task_types };
  const [target] = routeTo(upstream, "model", { facts, provider: { tasks } }).targets;
  return target;
}

describe("a task that is asked for", () => {
  test.each(Object.entries(SAID))(
    "%s is understood in every vendor's word, by every field",
    (task, words) => {
      expect(TASKS).toContain(task);
      for (const word of words) {
        for (const field of TASK_FIELDS) {
          const request = asked({ [field]: word, title: "kept" });
          expect(request.task).toMatchObject({ task, word, field });
          expect(request.fields).toEqual({ title: "kept" });
        }
      }
    },
  );

  test("is none if the request names none", () => {
    const request = requestFor(["a"], { fields: { title: "T" } });
    expect(withTask(request)).toBe(request);
  });

  test("may be named twice, if it is the same", () => {
    expect(asked({ input_type: "search_query", task_type: "RETRIEVAL_QUERY" }).task?.task).toBe("query");
    expect(asked({ task: "own.word", prompt_name: "own.word" }).task).toMatchObject({ word: "own.word" });
  });

  test.each([
    [{ task_type: "RETRIEVAL_QUERY", input_type: "document" }, "input_type"],
    [{ task_type: "RETRIEVAL_QUERY", prompt_name: "own.word" }, "prompt_name"],
    [{ task: "Own", prompt_name: "own" }, "prompt_name"],
    [{ task: 7 }, "task"],
    [{ input_type: "" }, "input_type"],
    [{ input_type: ["query"] }, "input_type"],
    [{ prompt_name: "x".repeat(101) }, "prompt_name"],
  ])("%j is refused, naming %s", (fields, field) => {
    expect(() => asked(fields)).toThrow(expect.objectContaining({ kind: "invalid", field }));
  });

  test("is the same request in every word, and a different one for another task", () => {
    const key = (word: string) => {
      const { task } = asked({ input_type: word });
      return task && sameness(task);
    };
    expect(key("RETRIEVAL_QUERY")).toBe(key("query") ?? "none");
    expect(key("query")).not.toBe(key("document") ?? "none");
    // A model's own word that equals one of ours in quotes.
    expect(key('"query"')).not.toBe(key("query") ?? "none");
    expect(key("own")).not.toBe(key("Own") ?? "none");
  });
});

describe("the word that a target is sent", () => {
  const words = { query: "search_query", document: "search_document" } as const;
  test.each<[string, Target, string, string | undefined]>([
    ["is its own", targetOf({ words }), "RETRIEVAL_QUERY", "search_query"],
    ["is none where it has none for the task", targetOf({ words }), "CLUSTERING", undefined],
    ["is none where it has none at all", targetOf(undefined), "query", undefined],
    ["is none where its model knows no tasks", targetOf({ words }, []), "query", undefined],
    ["is none where its model knows others", targetOf({ words }, ["document"]), "query", undefined],
    ["is its own where its model knows it", targetOf({ words }, ["search_query"]), "query", "search_query"],
    ["is the caller's where it takes others", targetOf({ words, others: true }), "own.word", "own.word"],
    ["is its own before others", targetOf({ words, others: true }), "retrieval.query", "search_query"],
    ["is none for a word that nobody has", targetOf({ words }), "own.word", undefined],
  ])("%s", (_, target, said, sent) => {
    expect(wordFor(asked({ input_type: said }), target)).toBe(sent);
  });
});

describe("a plugin's words are refused, naming them, if", () => {
  const provider = { id: "own", options: Type.Object({}), open: () => ({}) };
  test.each<[string, object, string]>([
    ["a task is none of ours", { tasks: { words: { search: "s" } } }, "`tasks.words.search` is not a task"],
    ["a word is no text", { tasks: { words: { query: 5 } } }, "`tasks.words.query` is not a word"],
    ["there are none", { tasks: {} }, "`tasks.words` is not an object"],
    ["a field says a task", { fields: { input_type: Type.String() } }, "`fields.input_type` is a task"],
  ])("%s", (_, changed, reason) => {
    expect(checkProvider({ ...provider, ...changed })).toEqual({
      ok: false,
      reasons: [expect.stringContaining(reason)],
    });
  });

  test("nothing is wrong with them: accepted", () => {
    expect(checkProvider({ ...provider, tasks: { words: { query: "q" }, others: true } }).ok).toBe(true);
  });
});
