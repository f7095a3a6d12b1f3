/** Batches from their file to their output: order, counts, money, what is refused, and which workspace they belong to. */

import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import type { Gateway } from "../../src/gateway";
import { vectorOf } from "../serving";
import { ENDPOINT, inputOf, openBatching, provider, sendJson, YAML } from "./opened";

const texts = (count: number) => Array.from({ length: count }, (_, i) => `text ${i}`);

function rowsOf(folder: string): unknown[] {
  const database = new Database(join(folder, "data/embedgate.db"), { readonly: true });
  try {
    return database.query("SELECT * FROM ledger ORDER BY request_id").all();
  } finally {
    database.close();
  }
}

describe("a batch", () => {
  test("answers each line in the input's order, and writes a row for each", async () => {
    const { fetch, texts: asked } = provider();
    await using batching = await openBatching(fetch);
    const wanted = texts(300);
    const file = await batching.upload(inputOf([...wanted, ["two", "of them"]]));
    expect(file).toMatchObject({
      object: "file",
      purpose: "batch",
      filename: "in.jsonl",
      status: "processed",
    });
    const made = await batching.create({ input_file_id: file.id, ...ENDPOINT, metadata: { job: "a" } });
    expect(made).toMatchObject({ status: "validating", metadata: { job: "a" }, errors: null, model: "m" });
    const batch = await batching.ended(made.id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 301, completed: 301, failed: 0 },
      usage: { input_tokens: 302, total_tokens: 302 },
      error_file_id: null,
    });
    const lines = await batching.lines(batch.output_file_id);
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: 301 }, (_, i) => `c${i}`));
    for (const [i, { response }] of lines.slice(0, 300).entries())
      expect(response?.body.data?.[0]?.embedding).toEqual(vectorOf(wanted[i] ?? ""));
    expect(lines[300]?.response?.body.data?.map(({ embedding }) => embedding)).toEqual(
      ["two", "of them"].map(vectorOf),
    );
    expect(asked.toSorted()).toEqual([...wanted, "two", "of them"].toSorted());
    const rows = rowsOf(batching.open.folder);
    expect(rows.length).toBe(301);
    expect(rows[0]).toMatchObject({ batch: batch.id, status: 200, tokens: 1, metadata: '{"job":"a"}' });
    expect(rows[0]).toMatchObject({ request_id: lines[0]?.id });
  });

  test("puts failed lines into the error file, with the error that a request would get", async () => {
    const { fetch } = provider(async (asked) =>
      asked.includes("bad")
        ? Response.json({ error: { message: "no such text" } }, { status: 400 })
        : undefined,
    );
    await using batching = await openBatching(fetch);
    const file = await batching.upload(inputOf(["good", "bad", ["good too", ""]]));
    const batch = await batching.ended((await batching.create({ input_file_id: file.id, ...ENDPOINT })).id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 3, completed: 1, failed: 2 },
    });
    const failures = await batching.lines(batch.error_file_id);
    expect(failures).toMatchObject([
      { custom_id: "c1", error: null, response: { status_code: 400 } },
      { custom_id: "c2", error: null, response: { status_code: 400 } },
    ]);
    expect(failures[1]?.response?.body.error?.message).toContain("input[1]");
    expect((await batching.lines(batch.output_file_id)).map(({ custom_id }) => custom_id)).toEqual(["c0"]);
  });

  test("retries transient errors, and charges once", async () => {
    let failures = 0;
    const { fetch } = provider(async () => {
      failures += 1;
      return failures <= 2 ? new Response("busy", { status: 503 }) : undefined;
    });
    await using batching = await openBatching(fetch, YAML, { sleep: async () => Bun.sleep(0) });
    const file = await batching.upload(inputOf(["a"]));
    const batch = await batching.ended((await batching.create({ input_file_id: file.id, ...ENDPOINT })).id);
    expect(batch.request_counts).toEqual({ total: 1, completed: 1, failed: 0 });
    const billed = rowsOf(batching.open.folder).filter((row) => Object(row).tokens_billed > 0);
    expect(billed.length).toBe(1);
  });

  test("accepts requests in the body, and the same Idempotency-Key once", async () => {
    const { fetch, texts: asked } = provider();
    await using batching = await openBatching(fetch);
    const body = {
      ...ENDPOINT,
      model: "m",
      requests: [
        { custom_id: "x", body: { input: "one" } },
        { custom_id: "y", body: { input: "two", model: "m" } },
      ],
    };
    const key = { "idempotency-key": "job-1" };
    const [one, other] = await Promise.all([batching.create(body, key), batching.create(body, key)]);
    expect(other.id).toBe(one.id);
    const batch = await batching.ended(one.id);
    expect((await batching.create(body, key)).status).toBe("completed");
    expect((await batching.lines(batch.output_file_id)).map(({ custom_id }) => custom_id)).toEqual([
      "x",
      "y",
    ]);
    expect(asked.toSorted()).toEqual(["one", "two"]);
    const { status, json } = await sendJson(
      batching.open,
      "/v1/batches",
      { ...body, metadata: { a: "b" } },
      key,
    );
    expect([status, json]).toMatchObject([409, { error: { code: "conflict" } }]);
  });

  test("is cancelled: what is done is kept and charged, and nothing else starts", async () => {
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<undefined>();
    const { fetch, texts: asked } = provider(() => {
      begun.resolve();
      return released.promise;
    });
    await using batching = await openBatching(fetch);
    const file = await batching.upload(inputOf(texts(2000)));
    const { id } = await batching.create({ input_file_id: file.id, ...ENDPOINT });
    await begun.promise;
    const { json } = await batching.open.send(`/v1/batches/${id}/cancel`, { method: "POST" });
    expect(json).toMatchObject({ status: "cancelling" });
    released.resolve(undefined);
    const batch = await batching.ended(id);
    expect(batch.status).toBe("cancelled");
    const { completed, failed, total } = batch.request_counts;
    expect([total, failed]).toEqual([2000, 0]);
    expect(completed).toBeGreaterThan(0);
    expect(completed).toBeLessThan(500);
    expect((await batching.lines(batch.output_file_id)).length).toBe(completed);
    expect(asked.length).toBe(completed);
    expect(rowsOf(batching.open.folder).length).toBe(completed);
    expect((await batching.open.send(`/v1/batches/${id}/cancel`, { method: "POST" })).status).toBe(409);
  });

  test("expires after a day: lines that did not run are in the error file", async () => {
    let now = Date.UTC(2027, 0, 15);
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<undefined>();
    const { fetch } = provider(() => {
      begun.resolve();
      return released.promise;
    });
    await using batching = await openBatching(fetch, YAML, { now: () => now });
    const file = await batching.upload(inputOf(texts(1000)));
    const { id } = await batching.create({ input_file_id: file.id, ...ENDPOINT });
    await begun.promise;
    now += 86_400_000;
    batching.open.gateway.batches?.runner.look();
    released.resolve(undefined);
    // The lease expired too, so that the next owner goes on.
    const batch = await batching.ended(id);
    expect(batch.status).toBe("expired");
    const answered = await batching.lines(batch.output_file_id);
    const left = await batching.lines(batch.error_file_id);
    expect(answered.length + left.length).toBe(1000);
    expect(left[0]).toMatchObject({ response: null, error: { code: "batch_expired" } });
  });
});

describe("the money of a batch", () => {
  const PAYING = `${YAML}\nworkspace_defaults: { credits: 1 }`;
  const balanceOf = ({ gateway }: { readonly gateway: Gateway }) => gateway.workspaces.show("default");

  test("is held as a whole at the start, and the rest is released at the end", async () => {
    const begun = Promise.withResolvers<void>();
    const released = Promise.withResolvers<undefined>();
    const { fetch } = provider(() => {
      begun.resolve();
      return released.promise;
    });
    await using batching = await openBatching(fetch, PAYING);
    const { open } = batching;
    const file = await batching.upload(inputOf(texts(20)));
    const { id } = await batching.create({ input_file_id: file.id, ...ENDPOINT });
    // A token is at least one byte, and a text has eight marks around it: 10 texts of 6 bytes, 10 of 7. At 1,000 USD per million.
    expect((await balanceOf(open)).micro_credits_held).toBe(290_000n);
    await begun.promise;
    expect((await balanceOf(open)).micro_credits_held).toBe(290_000n);
    // No other batch that would need more than the rest fits beside it.
    const large = await batching.upload(inputOf(texts(60)));
    const { status, json } = await sendJson(open, "/v1/batches", { input_file_id: large.id, ...ENDPOINT });
    expect([status, json]).toMatchObject([402, { error: { code: "insufficient_credit" } }]);
    released.resolve(undefined);
    expect((await batching.ended(id)).status).toBe("completed");
    expect(await balanceOf(open)).toMatchObject({ micro_credits: 980_000n, micro_credits_held: 0n });
  });

  test("is refused if the workspace's cap does not cover it, and nothing is left behind", async () => {
    const { fetch } = provider();
    await using batching = await openBatching(fetch, `${YAML}\nworkspace_defaults: { cap_usd_per_day: 0.1 }`);
    const file = await batching.upload(inputOf(texts(20)));
    const { status, json } = await sendJson(batching.open, "/v1/batches", {
      input_file_id: file.id,
      ...ENDPOINT,
    });
    expect([status, json]).toMatchObject([402, { error: { code: "cap_exceeded" } }]);
    expect((await batching.open.send("/v1/batches")).json).toMatchObject({ data: [], has_more: false });
    const requests = texts(20).map((input, i) => ({ custom_id: `c${i}`, body: { model: "m", input } }));
    const inline = await sendJson(batching.open, "/v1/batches", { ...ENDPOINT, requests });
    expect(inline.status).toBe(402);
    expect((await batching.open.send("/v1/files")).json).toMatchObject({ data: [{ id: file.id }] });
  });
});

describe("an invalid input file", () => {
  test.each([
    ["", "empty_file", null],
    ["{", "invalid_json_line", 1],
    [`${inputOf(["a"])}\n[]`, "invalid_json_line", 2],
    ['{"body":{"model":"m","input":"a"}}', "missing_required_parameter", 1],
    ['{"custom_id":"a"}', "missing_required_parameter", 1],
    ['{"custom_id":"a","method":"GET","body":{}}', "invalid_method", 1],
    ['{"custom_id":"a","url":"/v1/completions","body":{}}', "invalid_url", 1],
    [`${inputOf(["a"])}\n${inputOf(["b"])}`, "duplicate_custom_id", 2],
    [inputOf(["a"], "unknown"), "model_not_found", 1],
    [inputOf(Array.from({ length: 51 }, () => texts(1000))), "too_many_inputs", 51],
  ])("%#: %.40s is a failed batch", async (text, code, line) => {
    const { fetch, texts: asked } = provider();
    await using batching = await openBatching(fetch);
    const file = await batching.upload(text);
    const batch = await batching.ended((await batching.create({ input_file_id: file.id, ...ENDPOINT })).id);
    expect(batch).toMatchObject({
      status: "failed",
      errors: { data: [{ code, line }] },
      output_file_id: null,
    });
    expect(asked).toEqual([]);
  });

  test.each([
    [{}, "endpoint"],
    [{ endpoint: "/v1/chat/completions" }, "endpoint"],
    [{ ...ENDPOINT }, "input_file_id"],
    [{ ...ENDPOINT, input_file_id: "x", requests: [{ custom_id: "a", body: {} }] }, "requests"],
    [{ ...ENDPOINT, input_file_id: "x", completion_window: "1h" }, "completion_window"],
    [{ ...ENDPOINT, input_file_id: "x", metadata: { a: 1 } }, "metadata.a"],
    [{ ...ENDPOINT, input_file_id: "x", unknown: 1 }, "unknown"],
  ])("the body %j is refused for %s", async (body, param) => {
    await using batching = await openBatching(provider().fetch);
    const { status, json } = await sendJson(batching.open, "/v1/batches", body);
    expect([status, json]).toMatchObject([400, { error: { param, type: "invalid_request_error" } }]);
  });
});
