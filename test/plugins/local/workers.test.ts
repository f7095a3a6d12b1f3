/**
 * The pool of Workers, seen through the plugin: turns, cancelled calls, a Worker that dies, shutdown.
 * Nothing here sleeps: each test ends when its calls have ended.
 */
import { describe, expect, test } from "bun:test";
import type { Input } from "../../../src/plugin";
import { call, failureOf, inOrder, openLocal, vectorOf } from "./local-model";

/** More work than any test may take: about 2,000 pieces. Only a call that can be cancelled midway frees the Worker. */
const ENDLESS = "x ".repeat(500_000);

describe("a pool", () => {
  test("answers more calls at once than it has Workers, each with its own vectors", async () => {
    const local = openLocal({ workers: 2 });
    const texts = Array.from({ length: 20 }, (_, i) => `text number ${i}`);
    const together = await Promise.all(texts.map((text) => vectorOf(local, text)));
    const batch = inOrder(await local.embed(call(texts)));
    expect(together).toEqual(batch);
    await local.close?.();
  });

  test("keeps each vector in its own memory", async () => {
    const local = openLocal({ workers: 1 });
    for (const vector of inOrder(await local.embed(call(["one", "two"])))) {
      expect(vector.buffer.byteLength).toBe(384 * Float32Array.BYTES_PER_ELEMENT);
    }
    await local.close?.();
  });
});

describe("a cancelled call", () => {
  test("is refused at once if its signal had fired before", async () => {
    const local = openLocal({ workers: 1 });
    const failure = await failureOf(local.embed(call(["x"], { signal: AbortSignal.abort("gone") })));
    expect(failure).toMatchObject({ kind: "timeout", cause: "gone" });
    await local.close?.();
  });

  test("leaves the queue while it waits, and the calls around it are answered", async () => {
    const local = openLocal({ workers: 1 });
    const caller = new AbortController();
    const first = vectorOf(local, "first");
    const waiting = failureOf(local.embed(call([ENDLESS], { longInput: "average", signal: caller.signal })));
    const last = vectorOf(local, "last");
    caller.abort();
    expect((await waiting).kind).toBe("timeout");
    expect(await first).toHaveLength(384);
    expect(await last).toHaveLength(384);
    await local.close?.();
  });

  test("ends midway while it runs, and the next call gets the Worker", async () => {
    const local = openLocal({ workers: 1 });
    const other = openLocal({ workers: 1 });
    const before = await vectorOf(local, "next");
    const caller = new AbortController();
    const running = failureOf(local.embed(call([ENDLESS], { longInput: "average", signal: caller.signal })));
    // Some batches' worth of work elsewhere, so that the call is well in progress.
    await other.embed(call(Array<string>(8).fill("x ".repeat(254))));
    await other.close?.();
    const next = vectorOf(local, "next");
    caller.abort();
    expect((await running).kind).toBe("timeout");
    expect(await next).toEqual(before);
    await local.close?.();
  }, 20_000);
});

describe("a Worker that dies", () => {
  /** A value that the types forbid and a Worker cannot embed. */
  const fatal: Input = JSON.parse("5");

  test("fails its own call as unavailable, and the next call gets a new Worker", async () => {
    const local = openLocal({ workers: 1 });
    const before = await vectorOf(local, "text");
    const failure = await failureOf(local.embed(call([fatal])));
    expect(failure.kind).toBe("unavailable");
    expect(await vectorOf(local, "text")).toEqual(before);
    await local.close?.();
  });

  test("does not affect the calls in the queue", async () => {
    const local = openLocal({ workers: 1 });
    const dying = failureOf(local.embed(call([fatal])));
    const waiting = [vectorOf(local, "one"), vectorOf(local, "two")];
    expect((await dying).kind).toBe("unavailable");
    expect(await Promise.all(waiting)).toHaveLength(2);
    await local.close?.();
  });
});

describe("close", () => {
  test("fails calls in progress and in the queue, and later ones", async () => {
    const local = openLocal({ workers: 1 });
    const running = failureOf(local.embed(call([ENDLESS], { longInput: "average" })));
    const waiting = failureOf(local.embed(call(["x"])));
    await local.close?.();
    for (const failure of [running, waiting, failureOf(local.embed(call(["x"])))]) {
      expect((await failure).kind).toBe("unavailable");
    }
  });
});
