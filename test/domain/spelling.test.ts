/** Names that differ only in case (src/domain/spelling.ts). */
import { expect, test } from "bun:test";
import { twinsIn, twinsInBody } from "../../src/domain/spelling";

test("a body's twins are found each time, and those of an object within", () => {
  const twins = { model: "m", Model: "n" };
  for (let i = 0; i < 3; i++) expect(twinsInBody(twins)).toEqual(["model", "Model"]);
  expect(twinsInBody({ model: "m", a: { topK: 1, top_k: 2 } })).toEqual(
    twinsIn({ a: { topK: 1, top_k: 2 } }),
  );
});

test("a body whose names were seen without twins is not mistaken for one with them", () => {
  expect(twinsInBody({ model: "m", input: [] })).toBeUndefined();
  expect(twinsInBody({ model: "m", input: [] })).toBeUndefined();
  for (const name of ["model 5 Model", "model\nModel", "5 model 5 Model "]) {
    expect(twinsInBody({ [name]: 1 })).toBeUndefined();
    expect(twinsInBody({ model: 1, Model: 2 })).toEqual(["model", "Model"]);
  }
});

test("names without end are looked at, and not kept", () => {
  const long = "x".repeat(2_000);
  expect(twinsInBody({ [long]: 1 })).toBeUndefined();
  expect(twinsInBody({ [long]: 1, [long.toUpperCase()]: 2 })).toEqual([long, long.toUpperCase()]);
});
