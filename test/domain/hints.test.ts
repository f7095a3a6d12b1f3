/**
 * Tasks, titles and `truncate` as callers see them: what has an effect, what is ignored and named in a header, what is refused.
 * test/domain/tasks.test.ts has the vendors' own words for tasks.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { withTask } from "../../src/domain/tasks";
import { admit } from "../../src/request/admission";
import { requestFor, routeTo } from "../execute/opened";
import { FAKE_YAML, type OpenGateway, openGateway, type Sent } from "../gateway";
import { OPENAI_KEY, openaiVendor } from "../plugins/vendors/openai-wire";
import { printed } from "../printing/printed";

const YAML = `cache: { memory_mb: 8 }
${FAKE_YAML}
  small: { routes: [ { provider: openai, model: text-embedding-3-small } ] }
  short: { routes: [ { provider: fake, model: fake-8 } ], max_input_tokens: 4, tokenizer: cl100k_base, long_input: average }
`.replace("providers:\n", `providers:\n  openai: { plugin: openai, api_key: ${OPENAI_KEY} }\n`);

let open: OpenGateway;
beforeAll(async () => {
  open = await openGateway({ yaml: YAML, outside: { fetch: openaiVendor().fetch } });
});
afterAll(() => open[Symbol.asyncDispose]());

const vectorOf = ({ json }: Sent): unknown => Object(json).data?.[0]?.embedding;
const numbers = (text: string, size: number) => printed(exactVector(text, size));

describe("a task", () => {
  test("reaches the provider in its own word, whatever word and field the caller used", async () => {
    for (const asked of [
      { task_type: "RETRIEVAL_QUERY" },
      { input_type: "search_query" },
      { task: "query" },
    ]) {
      const sent = await open.post({ model: "fake", input: "a text", ...asked });
      expect(vectorOf(sent)).toEqual(numbers("query: a text", 16));
      expect(sent.headers.get("x-embedgate-ignored")).toBeNull();
    }
  });

  test("is part of the cache key: the same in every word, and different for another task", async () => {
    const cacheNote = async (asked: object) =>
      (await open.post({ model: "fake", input: "cached", ...asked })).headers.get("x-embedgate-cache");
    expect(await cacheNote({ input_type: "query" })).toBe("hit=0, miss=1");
    expect(await cacheNote({ task_type: "RETRIEVAL_QUERY" })).toBe("hit=1, miss=0");
    expect(await cacheNote({ input_type: "passage" })).toBe("hit=0, miss=1");
    expect(await cacheNote({})).toBe("hit=0, miss=1");
  });

  test("that a provider has no word for is ignored, and named in a header as the caller wrote it", async () => {
    const clustering = await open.post({ model: "fake", input: "a text", task: "clustering" });
    expect(vectorOf(clustering)).toEqual(numbers("a text", 16));
    expect(clustering.headers.get("x-embedgate-ignored")).toBe("task");
    const openai = await open.post({ model: "small", input: "a text", input_type: "query", title: "T" });
    expect(openai.status).toBe(200);
    expect(openai.headers.get("x-embedgate-ignored")).toBe("input_type, title");
  });

  test("that is ignored is named for a cached answer too", async () => {
    const ask = () => open.post({ model: "small", input: "told twice", input_type: "query" });
    await ask();
    const hit = await ask();
    expect(hit.headers.get("x-embedgate-cache")).toBe("hit=1, miss=0");
    expect(hit.headers.get("x-embedgate-ignored")).toBe("input_type");
  });

  test.each([
    [{ input_type: "RETREIVAL_QUERY" }, "input_type", "retrieval_query"],
    [{ input_type: "query", task_type: "RETRIEVAL_DOCUMENT" }, "input_type", "send one of them"],
    [{ prompt_name: 5 }, "prompt_name", "must be a string"],
  ])("%j is a 400 that names the field, for every model", async (asked, param, says) => {
    for (const model of ["fake", "small"]) {
      const { status, json } = await open.post({ model, input: "a", ...asked });
      expect(status).toBe(400);
      expect(json).toMatchObject({ error: { param, message: expect.stringContaining(says) } });
    }
  });
});

describe("a title", () => {
  test("reaches a provider that supports it, and is checked by that provider's rules", async () => {
    const sent = await open.post({ model: "fake", input: "a text", title: "T", input_type: "document" });
    expect(vectorOf(sent)).toEqual(numbers("document: T: a text", 16));
    const wrong = await open.post({ model: "fake", input: "a text", title: 5 });
    expect(wrong.json).toMatchObject({ error: { param: "title" } });
  });
});

describe("truncate", () => {
  const LONG = "one two three four five six";
  const ask = (truncate: unknown, model = "short") => open.post({ model, input: LONG, truncate });

  test.each([["END"], ["end"], [true], ["RIGHT"]])(
    "%p has the gateway cut the end, and tell",
    async (word) => {
      const sent = await ask(word);
      expect(vectorOf(sent)).toEqual(numbers("one two three four", 8));
      expect(sent.headers.get("x-embedgate-truncated")).toBe("0");
    },
  );

  test.each([["NONE"], [false]])(
    "%p refuses what is too long, whatever the model's long_input",
    async (word) => {
      const sent = await ask(word);
      expect(sent.json).toMatchObject({ error: { code: "context_length_exceeded", param: "input" } });
    },
  );

  test("left out, the model's own long_input applies", async () => {
    expect((await ask(undefined)).headers.get("x-embedgate-averaged")).toBe("0");
  });

  test.each([["START"], ["MIDDLE"], [3]])("%p, which no target supports, is a 400", async (word) => {
    for (const model of ["short", "small"]) {
      const { status, json } = await ask(word, model);
      expect(status).toBe(400);
      expect(json).toMatchObject({ error: { param: "truncate" } });
    }
  });
});

describe("which targets remain", () => {
  const upstream = { embed: () => Promise.reject(new Error("It is not asked.")) };
  const [first] = routeTo(upstream, "plain").targets;
  const [knowing] = routeTo(upstream, "knowing", {
    provider: {
      tasks: { words: { query: "q" } },
      accepts: (name) => (name === "truncate" ? () => null : undefined),
    },
  }).targets;
  const route = {
    ...routeTo(upstream, "plain", { facts: { max_input_tokens: 4 } }),
    targets: [first, knowing] as const,
  };
  const admitted = (fields: Readonly<Record<string, unknown>>, isStrict = false) => {
    const { targets, facts } = admit(
      withTask(requestFor(["a"], { fields })),
      { ...route, targets: [...route.targets] },
      isStrict,
    );
    return { models: targets.map(({ model }) => model), facts };
  };

  test("those that ignore nothing", () => {
    expect(admitted({ input_type: "query" }).models).toEqual(["knowing"]);
  });

  test("all, if all ignore the same fields", () => {
    expect(admitted({ input_type: "clustering" }).models).toEqual(["plain", "knowing"]);
    expect(admitted({ title: "T" }).models).toEqual(["plain", "knowing"]);
  });

  test("none, if ignored fields must be refused", () => {
    expect(admitted({ input_type: "query" }, true).models).toEqual(["knowing"]);
    expect(() => admitted({ input_type: "clustering" }, true)).toThrow(
      expect.objectContaining({ kind: "invalid", field: "input_type" }),
    );
    expect(() => admitted({ title: "T" }, true)).toThrow(expect.objectContaining({ field: "title" }));
  });

  test("providers with `truncate` are sent texts of any length, and no other can truncate the start", () => {
    const { models, facts } = admitted({ truncate: "START" });
    expect(models).toEqual(["knowing"]);
    expect(facts.max_input_tokens).toBeUndefined();
  });
});
