/**
 * The model's files: byte for byte those listed in SHA256SUMS, and the kernels are built from their sources.
 */
import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { compiler } from "../../../.ci/gcc";
import { buildKernel, buildNative, buildPlainKernel } from "../../../plugins/local/kernel/build";

const FOLDER = join(import.meta.dir, "../../../plugins/local");

const sums = readFileSync(join(FOLDER, "SHA256SUMS"), "utf8")
  .trim()
  .split("\n")
  .map((line) => line.split(/ +/));

test("the list names the weights, the vocabulary and the kernels", () => {
  expect(sums.map(([, name]) => name)).toEqual([
    "weights/weights.bin",
    "weights/vocab.txt",
    "kernel/kernel.wasm",
    "kernel/kernel-plain.wasm",
    "kernel/native-linux-x64.so",
  ]);
});

test.each(sums)("%s is the sha256 of %s", (sha256 = "", name = "") => {
  expect(
    createHash("sha256")
      .update(readFileSync(join(FOLDER, name)))
      .digest("hex"),
  ).toBe(sha256);
});

test.each([
  ["kernel.wasm", buildKernel],
  ["kernel-plain.wasm", buildPlainKernel],
])(
  "portable/kernel.ts compiles to the bytes of %s",
  async (name, build) => {
    expect(Buffer.compare(await build(), readFileSync(join(FOLDER, "kernel", name)))).toBe(0);
  },
  30_000,
);

const native = readFileSync(join(FOLDER, "kernel/native-linux-x64.so"));
const builder = compiler();

describe("native-linux-x64.so", () => {
  test.skipIf(builder === undefined || !native.includes(builder))(
    "is what native/kernel.c and native/loader.c compile to, with the compiler that made it",
    () => expect(Buffer.compare(buildNative(), native)).toBe(0),
    30_000,
  );

  test("needs no library, so that it loads with every C library", () => {
    // A dynamic section would name the libraries that it needs; there is none.
    expect(native.includes("libc")).toBe(false);
    expect(native.includes(".so")).toBe(false);
  });
});
