/**
 * Equal inputs of simultaneous requests: they are fetched once, and nobody suffers from another's problem.
 * test/cache/flights.test.ts has a single flight.
 */
import { describe, expect, test } from "bun:test";
import { cacheOf, expected, openBefore, quiet, rightly, routing, rowsOf, vectorsOf } from "./vendor";

const sum = (numbers: readonly unknown[]) => numbers.reduce((total: number, one) => total + Number(one), 0);

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
});

describe.each(["{ memory_mb: 8 }", "false"])("with cache: %s", (cache) => {
  test("identical requests are one call, and each is answered in its own encoding", async () => {
    await using open = await openBefore(routing({ cache }));
    const answer = Promise.withResolvers<void>();
    open.vendor.answer = async (_, right) => {
      await answer.promise;
      return rightly(right);
    };
    const body = { model: "m", input: ["one two three", "four"] };
    const posted = Array.from({ length: 40 }, (_, i) =>
      open.post({ ...body, encoding_format: i % 2 === 0 ? "float" : "base64" }),
    );
    await quiet();
    answer.resolve();
    const sent = await Promise.all(posted);
    expect(open.vendor.calls.map(({ input }) => input)).toEqual([body.input]);
    expect(sent.map(({ status }) => status)).toEqual(Array(40).fill(200));
    for (const [i, one] of sent.entries()) {
      if (i % 2 === 0) expect(vectorsOf(one)).toEqual(expected(body.input));
      else expect(Object(one.json).data).toEqual(Object(sent[1]?.json).data);
    }
    const rows = rowsOf(open);
    expect(rows).toHaveLength(40);
    expect(rows.filter((row) => row.cache_hits === 0)).toMatchObject([{ tokens: 4, tokens_upstream: 4 }]);
    expect(sum(rows.map((row) => row.tokens_upstream))).toBe(4);
    expect(rows.every((row) => row.tokens === 4)).toBe(true);
    expect(sum(rows.map((row) => row.tokens_billed))).toBe(4);
  });
});

test("of overlapping requests, each input is sent once", async () => {
  await using open = await openBefore();
  const answer = Promise.withResolvers<void>();
  open.vendor.answer = async (_, right) => {
    await answer.promise;
    return rightly(right);
  };
  const asked = [
    ["a", "b"],
    ["c", "b"],
    ["b", "c", "a", "d"],
  ];
  const posted = asked.map((input) => open.post({ model: "m", input }));
  await quiet();
  answer.resolve();
  const sent = await Promise.all(posted);
  expect(sent.map(vectorsOf)).toEqual(asked.map((input) => expected(input)));
  expect(sent.map(cacheOf)).toEqual(["hit=0, miss=2", "hit=1, miss=1", "hit=3, miss=1"]);
  expect(open.vendor.calls.flatMap(({ input }) => input).sort()).toEqual(["a", "b", "c", "d"]);
});

test("when the client that asked first disconnects, the others are still answered", async () => {
  await using open = await openBefore();
  const { vendor } = open;
  vendor.answer = (_, right) => (vendor.calls.length === 1 ? new Promise(() => undefined) : rightly(right));
  const client = new AbortController();
  const first = open.send("/v1/embeddings", {
    ...json({ model: "m", input: "a" }),
    signal: client.signal,
  });
  await quiet();
  const others = Array.from({ length: 5 }, () => open.post({ model: "m", input: "a" }));
  await quiet();
  expect(vendor.calls).toHaveLength(1);
  client.abort();
  expect((await first).status).toBe(499);
  for (const sent of await Promise.all(others)) {
    expect([sent.status, vectorsOf(sent)]).toEqual([200, expected(["a"])]);
  }
  expect(vendor.calls).toHaveLength(2);
  expect(rowsOf(open).map(({ status }) => status)).toEqual([499, 200, 200, 200, 200, 200]);
});

test("when a waiting client disconnects, the one that asked first is answered", async () => {
  await using open = await openBefore();
  const answer = Promise.withResolvers<void>();
  open.vendor.answer = async (_, right) => {
    await answer.promise;
    return rightly(right);
  };
  const first = open.post({ model: "m", input: "a" });
  await quiet();
  const client = new AbortController();
  const second = open.send("/v1/embeddings", {
    ...json({ model: "m", input: "a" }),
    signal: client.signal,
  });
  await quiet();
  client.abort();
  expect((await second).status).toBe(499);
  answer.resolve();
  expect(vectorsOf(await first)).toEqual(expected(["a"]));
});

test("an input that its provider refuses fails those who sent it, not those who share other inputs with them", async () => {
  await using open = await openBefore();
  const { vendor } = open;
  const answer = Promise.withResolvers<void>();
  vendor.answer = async ({ input }, right) => {
    await answer.promise;
    return input.includes("poison") ? new Response("no", { status: 400 }) : rightly(right);
  };
  const first = open.post({ model: "m", input: ["a", "poison", "b"] });
  await quiet();
  const second = open.post({ model: "m", input: ["b", "a"] });
  await quiet();
  answer.resolve();
  expect((await first).status).toBe(400);
  expect(vectorsOf(await second)).toEqual(expected(["b", "a"]));
});

test("a provider that is down fails all that wait, and is called once", async () => {
  await using open = await openBefore();
  const answer = Promise.withResolvers<void>();
  open.vendor.answer = async () => {
    await answer.promise;
    return new Response("down", { status: 503 });
  };
  const posted = Array.from({ length: 10 }, () => open.post({ model: "m", input: "a" }));
  await quiet();
  answer.resolve();
  expect((await Promise.all(posted)).map(({ status }) => status)).toEqual(Array(10).fill(503));
  expect(open.vendor.calls).toHaveLength(1);
  open.vendor.answer = (_, right) => rightly(right);
  expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
});

test("a request that the provider has just answered does not inherit another's failure, but calls again", async () => {
  await using open = await openBefore();
  const failing = Promise.withResolvers<void>();
  open.vendor.answer = async (_, right) => {
    if (open.vendor.calls.length > 1) return rightly(right);
    await failing.promise;
    return new Response("down", { status: 503 });
  };
  const first = open.post({ model: "m", input: "shared" });
  await quiet();
  const second = open.post({ model: "m", input: ["own", "shared"] });
  await quiet();
  failing.resolve();
  expect((await first).status).toBe(503);
  const sent = await second;
  expect(sent.status).toBe(200);
  expect(vectorsOf(sent)).toEqual(expected(["own", "shared"]));
  expect(open.vendor.calls.map(({ input }) => input)).toEqual([["shared"], ["own"], ["shared"]]);
});

test("no-store neither waits for others nor is waited for", async () => {
  await using open = await openBefore();
  const answer = Promise.withResolvers<void>();
  open.vendor.answer = async (_, right) => {
    await answer.promise;
    return rightly(right);
  };
  const posted = ["max-age=0", "no-store", "no-store"].map((cacheControl) =>
    open.post({ model: "m", input: "a" }, { "cache-control": cacheControl }),
  );
  await quiet();
  expect(open.vendor.calls).toHaveLength(3);
  answer.resolve();
  for (const sent of await Promise.all(posted)) expect(vectorsOf(sent)).toEqual(expected(["a"]));
});

test("workspaces do not wait for each other's inputs: the timing alone would reveal what another embeds", async () => {
  await using open = await openBefore();
  const answer = Promise.withResolvers<void>();
  open.vendor.answer = async (_, right) => {
    await answer.promise;
    return rightly(right);
  };
  const keys = await Promise.all(["red", "blue"].map((name) => open.gateway.keys.create("ci", name)));
  const posted = keys.map(({ key }) =>
    open.post({ model: "m", input: "a" }, { authorization: `Bearer ${key}` }),
  );
  await quiet();
  expect(open.vendor.calls).toHaveLength(2);
  answer.resolve();
  expect((await Promise.all(posted)).map(cacheOf)).toEqual(["hit=0, miss=1", "hit=0, miss=1"]);
});

test("a request that waits for another workspace's call learns the kind of failure, and not the provider's message, which may quote their input", async () => {
  await using open = await openBefore(routing({ cache: "{ memory_mb: 8, shared: true }" }));
  const answer = Promise.withResolvers<void>();
  open.vendor.answer = async () => {
    await answer.promise;
    return Response.json(
      { error: { message: "cannot embed 'a' beside 'a secret of red'" } },
      { status: 503, headers: { "retry-after": "7" } },
    );
  };
  const [red, other, blue] = await Promise.all(
    ["red", "red", "blue"].map((name) => open.gateway.keys.create("ci", name)),
  );
  const ask = (key: typeof red, input: string[]) =>
    open.post({ model: "m", input }, { authorization: `Bearer ${key?.key}` });
  const leader = ask(red, ["a", "a secret of red"]);
  await quiet();
  const joiners = [ask(other, ["a"]), ask(blue, ["a"])];
  await quiet();
  answer.resolve();
  const [first, sameWorkspace, stranger] = await Promise.all([leader, ...joiners]);
  expect(open.vendor.calls).toHaveLength(1);
  for (const sent of [first, sameWorkspace]) expect(JSON.stringify(sent?.json)).toContain("secret of red");
  expect(JSON.stringify(stranger?.json)).not.toContain("secret");
  expect(Object(stranger?.json).error).toMatchObject({ type: "server_error", code: "upstream_unavailable" });
  expect(Object(stranger?.json).error.message).toContain("was answered 503 (unavailable)");
  for (const sent of [first, sameWorkspace, stranger])
    expect([sent?.status, sent?.headers.get("retry-after")]).toEqual([503, "7"]);
});
