/**
 * The three files that the model is made of: byte for byte those that SHA256SUMS lists, and the kernel the one its source gives.
 */
import { expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { buildKernel } from "../../../plugins/local/kernel/build";

const FOLDER = join(import.meta.dir, "../../../plugins/local");

const sums = readFileSync(join(FOLDER, "SHA256SUMS"), "utf8")
  .trim()
  .split("\n")
  .map((line) => line.split(/ +/));

test("the list names the weights, the vocabulary and the kernel", () => {
  expect(sums.map(([, name]) => name)).toEqual([
    "weights/weights.bin",
    "weights/vocab.txt",
    "kernel/kernel.wasm",
  ]);
});

test.each(sums)("%s is the sha256 of %s", (sha256 = "", name = "") => {
  expect(
    createHash("sha256")
      .update(readFileSync(join(FOLDER, name)))
      .digest("hex"),
  ).toBe(sha256);
});

test("kernel.ts compiles to the bytes of kernel.wasm", async () => {
  const built = await buildKernel();
  expect(Buffer.compare(built, readFileSync(join(FOLDER, "kernel/kernel.wasm")))).toBe(0);
}, 30_000);
