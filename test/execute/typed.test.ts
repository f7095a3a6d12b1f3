/**
 * Vectors of other types than float: dimensions and values are checked together with the float vector, each at its own index in the answer.
 * A new type is a row of RIGHT and rows of WRONG.
 */
import { describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import { prove } from "../../src/execute/assemble";
import { collect } from "../../src/execute/collect";
import type { TypedVector, VectorType } from "../../src/plugin";
import { resultOf } from "../../src/request/result";
import { added, piecesOf, planFor, requestFor, routeTo } from "./opened";

const SIZE = 16;
const TEXTS = ["one", "two", "three"];
const route = routeTo({ embed: () => Promise.reject(new Error("No call in this test.")) }, "some-model", {
  facts: { dimensions: SIZE },
});
const part = { pieces: piecesOf(TEXTS) };

/** @param typed of each text by its index; a reply in another order than the part's */
function proved(types: readonly VectorType[], typed: (place: number) => TypedVector | undefined) {
  const vectors = TEXTS.map((text, index) => {
    const further = typed(index);
    return { index, values: exactVector(text, SIZE), ...(further && { typed: further }) };
  });
  const plan = planFor([], route, { pieces: part.pieces, types });
  const reply = { vectors: vectors.reverse(), tokens: 3, tokensSource: "provider" } as const;
  return { plan, answered: prove(reply, part, plan, route.targets[0]) };
}

const numbers = (length: number) => Array.from({ length }, (_, i) => i % 2);
const RIGHT: readonly (readonly [string, VectorType, (place: number) => TypedVector])[] = [
  ["int8", "int8", (place) => ({ int8: Int8Array.from(numbers(SIZE), (one) => one - place) })],
  ["uint8", "uint8", (place) => ({ uint8: Uint8Array.from(numbers(SIZE), (one) => one + place) })],
  ["binary, eight dimensions a byte", "binary", (place) => ({ binary: Int8Array.of(-128, place) })],
  ["binary, a number for each", "binary", () => ({ binary: Uint8Array.from(numbers(SIZE)) })],
  ["ubinary", "ubinary", (place) => ({ ubinary: Uint8Array.of(255, place) })],
  ["ubinary of zeros: no dimension is above zero", "ubinary", () => ({ ubinary: Uint8Array.of(0, 0) })],
];

describe("further types", () => {
  test.each(RIGHT)("%s: each reaches its own input, whatever the reply's order", (_, type, typed) => {
    const { plan, answered } = proved([type], typed);
    const collection = collect(plan);
    const complete = added(collection, answered);
    const embedded = [...complete].sort(([a], [b]) => a - b).map(([, one]) => one);
    const request = requestFor(TEXTS, { types: [type] });
    const { typed: told, vectors } = resultOf({ embedded, fresh: new Set([0, 1, 2]) }, request);
    expect(told).toEqual(TEXTS.map((_text, place) => typed(place)));
    expect(vectors).toEqual(TEXTS.map((text) => exactVector(text, SIZE)));
  });

  test("a type that was not requested is left out", () => {
    const both = () => ({ int8: Int8Array.from(numbers(SIZE)), ubinary: Uint8Array.of(1, 2) });
    expect(proved(["ubinary"], both).answered.typed).toEqual(
      TEXTS.map(() => ({ ubinary: Uint8Array.of(1, 2) })),
    );
    expect(proved([], both).answered.typed).toBeUndefined();
  });

  const WRONG: readonly (readonly [string, VectorType, unknown])[] = [
    ["nothing", "int8", undefined],
    ["a list", "int8", numbers(SIZE)],
    ["int8 a number too few", "int8", new Int8Array(SIZE - 1).fill(1)],
    ["int8 of eight a byte", "int8", Int8Array.of(1, 2)],
    ["int8 of zeros", "int8", new Int8Array(SIZE)],
    ["uint8 where int8 was asked for", "int8", Uint8Array.from(numbers(SIZE))],
    ["int8 where uint8 was asked for", "uint8", Int8Array.from(numbers(SIZE))],
    ["floats", "uint8", Float32Array.from(numbers(SIZE))],
    ["binary a byte too many", "binary", Int8Array.of(1, 2, 3)],
    ["binary of a number each, one of them 2", "binary", Uint8Array.from(numbers(SIZE)).fill(2, 3, 4)],
    ["binary of unsigned bytes", "binary", Uint8Array.of(1, 1)],
    ["ubinary of signed bytes", "ubinary", Int8Array.of(1, 1)],
    ["ubinary of a number each", "ubinary", Uint8Array.from(numbers(SIZE))],
  ];
  test.each(WRONG)("%s is refused", (_, type, value) => {
    const right = RIGHT.find(([, of]) => of === type)?.[2] ?? (() => ({}));
    const typed = (place: number): TypedVector =>
      place === 1 ? Object.fromEntries([[type, value]]) : right(place);
    let thrown: unknown;
    try {
      proved([type], typed);
    } catch (error) {
      thrown = error;
    }
    expect(thrown).toBeInstanceOf(GatewayError);
    expect(thrown).toMatchObject({ kind: "malformed" });
  });

  test("an answer that has lost them is a bug of ours, and is not returned", () => {
    const { plan, answered } = proved([], () => undefined);
    const embedded = [...added(collect(plan), answered).values()];
    const request = requestFor(TEXTS, { types: ["int8"] });
    expect(() => resultOf({ embedded, fresh: new Set([0, 1, 2]) }, request)).toThrow(
      "lost the further types",
    );
  });
});
