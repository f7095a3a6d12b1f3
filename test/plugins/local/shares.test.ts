/**
 * One call divided among Workers: the answer does not depend on it, and nobody waits long for it.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { divide } from "../../../plugins/local/shares";
import { call, failureOf, inOrder, openLocal, vectorOf } from "./local-model";

const text = (place: number) => `text number ${place} `.repeat(1 + (place % 9));
const inputs = Array.from({ length: 32 }, (_, place) => text(place));

describe("shares", () => {
  test("contain the inputs in order, none left out and none twice", () => {
    for (const threads of [1, 2, 3, 7]) {
      const shares = divide(inputs, threads);
      expect(shares.length % threads).toBe(0);
      expect(shares.flatMap((share) => share.inputs)).toEqual(inputs);
      for (const { first, inputs: own } of shares) expect(own[0]).toBe(text(first));
    }
  });

  test("take about the same time, whatever the lengths", () => {
    const shares = divide(["x".repeat(2000), ...inputs.slice(0, 20)], 4);
    expect(shares[0]?.inputs).toHaveLength(1);
    expect(divide([new Uint32Array(250), "x".repeat(1000)], 2).map(({ first }) => first)).toEqual([0, 1]);
  });

  test("are one if there is little to do", () => {
    expect(divide(["one", "two", "three"], 8)).toHaveLength(1);
    expect(divide([""], 8)).toHaveLength(1);
    expect(divide(["x".repeat(100_000)], 8)).toHaveLength(1);
  });

  test("are small, however few threads there are", () => {
    const long = Array<string>(32).fill("x ".repeat(500));
    for (const share of divide(long, 1)) expect(share.inputs).toHaveLength(1);
  });
});

describe("a call that three Workers share", () => {
  const one = openLocal({ workers: 1 });
  const three = openLocal({ workers: 3 });
  afterAll(() => Promise.all([one.close?.(), three.close?.()]));
  const long = "x ".repeat(300);

  test("has the answer of one Worker: the bits, the tokens and which inputs were cut or averaged", async () => {
    const changed = inputs.with(5, long).with(30, long);
    for (const longInput of ["truncate", "average"] as const) {
      const shared = await three.embed(call(changed, { longInput }));
      const alone = await one.embed(call(changed, { longInput }));
      expect(inOrder(shared)).toEqual(inOrder(alone));
      expect(shared).toMatchObject({
        tokensByInput: alone.tokensByInput,
        [longInput === "truncate" ? "truncated" : "averaged"]: [5, 30],
      });
    }
  });

  test("is refused for its first input at fault, with its index in the call", async () => {
    const failure = await failureOf(three.embed(call(inputs.with(20, long).with(31, long))));
    expect(failure).toMatchObject({ kind: "input_too_long", input: 20 });
  });
});

describe("a single text beside a large call", () => {
  test("is answered before the large call, although that came first", async () => {
    const local = openLocal({ workers: 1 });
    const order: string[] = [];
    const large = local.embed(call(Array<string>(16).fill("x ".repeat(250)))).then(() => order.push("large"));
    const single = vectorOf(local, "single").then(() => order.push("single"));
    await Promise.all([large, single]);
    expect(order).toEqual(["single", "large"]);
    await local.close?.();
  });
});
