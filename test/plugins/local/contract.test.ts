/**
 * The plugin as the gateway sees it: the suite that every plugin passes, its facts, and what it refuses.
 */
import { describe, expect, test } from "bun:test";
import { Value } from "@sinclair/typebox/value";
import plugin from "../../../plugins/local/index";
import { realOutside } from "../../../src/network/real-outside";
import { createHost } from "../../../src/upstream/host";
import { conformance } from "../conformance";
import { call, failureOf, MODEL, openLocal } from "./local-model";

conformance({ plugin, options: {}, model: MODEL });

describe("the local model", () => {
  test("has the facts of its one model, and of no other", () => {
    const local = openLocal();
    expect(local.describe?.(MODEL)).toEqual({
      dimensions: 384,
      max_inputs: 32,
      max_input_tokens: 256,
      long_input: "average",
      normalized: true,
      price: 0,
      token_ids: "decode",
    });
    expect(local.describe?.("all-MiniLM-L12-v2")).toBeUndefined();
  });

  test("refuses another model, and names its own", async () => {
    const failure = await failureOf(openLocal().embed(call(["x"], { model: "bge-m3" })));
    expect(failure.kind).toBe("not_found");
    expect(failure.message).toContain(MODEL);
  });

  test("refuses other dimensions", async () => {
    const failure = await failureOf(openLocal().embed(call(["x"], { dimensions: 256 })));
    expect(failure).toMatchObject({ kind: "invalid", field: "dimensions" });
  });

  test.each([
    [{}, true],
    [{ workers: 1 }, true],
    [{ workers: 64 }, true],
    [{ workers: 0 }, false],
    [{ workers: 65 }, false],
    [{ workers: 1.5 }, false],
    [{ threads: 1 }, false],
    [{ kernel: "wasm" }, true],
    [{ kernel: "avx512" }, true],
    [{ kernel: "native" }, false],
  ])("options %j: %p", (options, valid) => {
    expect(Value.Check(plugin(createHost(realOutside)).options, options)).toBe(valid);
  });
});
