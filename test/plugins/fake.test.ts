/**
 * The fake plugin: the conformance suite as far as it applies without a network, and that each fault does what its name says.
 * A new fault is a row of SPOILED or FAILING; the test at the end finds one that was forgotten.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import fake, { exactVector } from "../../plugins/fake";
import { answerThrough, routeTo } from "../execute/opened";
import { conformance, type Subject } from "./conformance";
import { callFor, failureOf, openSubject } from "./conformance/subject";

const subject: Subject = {
  plugin: fake,
  options: {},
  model: "fake",
  vectorOf: (text) => exactVector(text, 16),
};

conformance(subject);

const TEXTS = ["one", "two words", "three"];

describe("good models", () => {
  test("fake-8 returns 8 dimensions, fake returns 16, and requested dimensions are returned", async () => {
    const { upstream } = openSubject(subject);
    const sizeOf = async (model: string, dimensions?: number) =>
      (await upstream.embed(callFor(subject, ["one"], { model, dimensions }))).vectors[0]?.values.length;
    expect([await sizeOf("fake"), await sizeOf("fake-8"), await sizeOf("fake", 5)]).toEqual([16, 8, 5]);
  });

  test("a vector has unit length, depends on its text only, and any shorter version has the same direction", () => {
    const long = exactVector("a text", 64);
    expect(Math.hypot(...long)).toBeCloseTo(1, 5);
    expect(exactVector("a text", 64)).toEqual(long);
    expect(exactVector("a text.", 64)).not.toEqual(long);
    const norm = Math.hypot(...long.subarray(0, 8));
    for (const [i, value] of exactVector("a text", 8).entries())
      expect(value).toBeCloseTo((long[i] ?? 0) / norm, 5);
  });

  test("tokens are words, and an array of ids counts its ids", async () => {
    const { upstream } = openSubject(subject);
    expect((await upstream.embed(callFor(subject, TEXTS))).tokens).toBe(4);
    expect((await upstream.embed(callFor(subject, [Uint32Array.of(1, 2, 3)]))).tokens).toBe(3);
  });
});

/** The indices and vectors in the reply of a spoiled model, or what the gateway makes of them. */
const SPOILED: readonly (readonly [fault: string, malformed: RegExp])[] = [
  ["short", /2 vectors came back for 3 inputs/],
  ["long", /4 vectors came back for 3 inputs/],
  ["empty", /0 vectors came back for 3 inputs/],
  ["duplicate", /index 0 twice/],
  ["misplaced", /index 3/],
  ["narrow", /15 dimensions, not 16/],
  ["nan", /not finite/],
  ["infinite", /not finite/],
  ["zero", /all zeros/],
];
const FAILING = [
  ["overloaded", "overloaded"],
  ["down", "unavailable"],
  ["unauthorized", "unauthorized"],
  ["missing", "not_found"],
  ["invalid", "invalid"],
] as const;

describe("faults", () => {
  test.each(SPOILED)("fake-%s is refused by the check, with its message", async (fault, malformed) => {
    const { upstream, clock } = openSubject(subject);
    const failure = await failureOf(answerThrough(routeTo(upstream, `fake-${fault}`), TEXTS, clock.outside));
    expect(failure.kind).toBe("malformed");
    expect(failure.message).toMatch(malformed);
  });

  test.each(FAILING)("fake-%s fails as '%s'", async (fault, kind) => {
    const { upstream } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, TEXTS, { model: `fake-${fault}` })));
    expect(failure.kind).toBe(kind);
    expect(failure.input).toBe(fault === "invalid" ? 0 : undefined);
    expect(failure.retryAfterMs).toBe(fault === "overloaded" ? 20 : undefined);
  });

  test("fake-shuffled is in another order with correct indices", async () => {
    const { upstream } = openSubject(subject);
    const texts = Array.from({ length: 20 }, (_, place) => `text ${place}`);
    const { vectors } = await upstream.embed(callFor(subject, texts, { model: "fake-shuffled" }));
    expect(vectors.map(({ index }) => index)).not.toEqual([...texts.keys()]);
    for (const { index, values } of vectors) expect(values).toEqual(exactVector(`text ${index}`, 16));
  });

  test("fake-uncounted has right vectors and no count", async () => {
    const { upstream } = openSubject(subject);
    const reply = await upstream.embed(callFor(subject, TEXTS, { model: "fake-uncounted" }));
    expect(reply.tokens).toBeUndefined();
    expect(reply.vectors.map(({ values }) => values)).toEqual(TEXTS.map((text) => exactVector(text, 16)));
  });

  test("fake-foreign names another model", async () => {
    const { upstream } = openSubject(subject);
    const { model } = await upstream.embed(callFor(subject, TEXTS, { model: "fake-foreign" }));
    expect(model).toBe("text-embedding-3-large");
  });

  test("fake-flaky fails once for each text, then answers", async () => {
    const { upstream } = openSubject(subject);
    const ask = (text: string) => upstream.embed(callFor(subject, [text], { model: "fake-flaky" }));
    expect((await failureOf(ask("one"))).kind).toBe("unavailable");
    expect((await ask("one")).vectors).toHaveLength(1);
    expect((await failureOf(ask("two"))).kind).toBe("unavailable");
  });

  test("fake-slow answers after a minute, and ends at once when its signal fires", async () => {
    const { upstream, clock } = openSubject(subject);
    const slow = callFor(subject, ["one"], { model: "fake-slow" });
    expect((await clock.until(upstream.embed(slow))).vectors).toHaveLength(1);
    expect(clock.outside.monotonic()).toBe(60_000);
    const controller = new AbortController();
    const call = upstream.embed({ ...slow, signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  });

  test("fake-stuck never answers, and ignores its signal", async () => {
    const { upstream, clock } = openSubject(subject);
    const controller = new AbortController();
    let settled = false;
    const settle = () => {
      settled = true;
    };
    const stuck = callFor(subject, ["one"], { model: "fake-stuck", signal: controller.signal });
    void upstream.embed(stuck).then(settle, settle);
    controller.abort(new Error("enough"));
    await clock.advance(1_000_000);
    expect(settled).toBe(false);
  });

  test("fake-buggy throws an unexpected error", async () => {
    const { upstream } = openSubject(subject);
    const call = upstream.embed(callFor(subject, ["one"], { model: "fake-buggy" }));
    await expect(call).rejects.toBeInstanceOf(TypeError);
  });

  test("every fault has its test here", () => {
    const plugin = readFileSync(new URL("../../plugins/fake.ts", import.meta.url), "utf8");
    const table = plugin.slice(plugin.indexOf("return {"), plugin.indexOf("interface Fault"));
    const named = [...table.matchAll(/^ {4}([a-z]+): /gm)].map(([, name]) => name ?? "");
    const own = readFileSync(import.meta.path, "utf8");
    expect(named.length).toBeGreaterThan(15);
    expect(named.filter((name) => !new RegExp(`fake-${name}\\b|\\["${name}"`).test(own))).toEqual([]);
  });
});
