/**
 * The machine code for numbers and base64: built from its source, chosen by the machine's abilities, and within its bounds.
 * test/printing/ and test/replies/ test that it prints and reads the same bytes as WebAssembly.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { compiler } from "../../.ci/gcc";
import { buildNative } from "../../src/native/build";
import {
  ALL_PRINTED,
  native,
  OTHER_VALUE,
  openNative,
  VARIANTS,
  type Variant,
} from "../../src/native/native";
import { NATIVES } from "./natives";

const library = readFileSync(join(import.meta.dir, "../../src/native/native-linux-x64.so"));
const builder = compiler();

describe("native-linux-x64.so", () => {
  test.skipIf(builder === undefined || !library.includes(builder))(
    "is what kernel/ compiles to, with the compiler that made it",
    () => expect(Buffer.compare(buildNative(), library)).toBe(0),
    30_000,
  );

  test("needs no library", () => {
    expect(library.includes("libc")).toBe(false);
    expect(library.includes(".so")).toBe(false);
  });
});

/** The processor's features according to the system, to detect code that it could run and does not load. */
const processor =
  process.platform === "linux" && process.arch === "x64" ? readFileSync("/proc/cpuinfo", "utf8") : "";
const FLAGS = {
  avx2: ["avx2", "abm"],
  avx512: ["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512vbmi"],
};
const IS_WITHOUT_SIMD = process.env.BUN_JSC_useWasmSIMD === "false";
const runs = (name: Variant) =>
  !IS_WITHOUT_SIMD && FLAGS[name].every((flag) => processor.includes(` ${flag} `));

test("every WebAssembly module runs without SIMD, but for those beside which there is something else that does", () => {
  const root = join(import.meta.dir, "../..");
  const modules = [...new Glob("{src,plugins}/**/*.wasm").scanSync({ cwd: root })].sort();
  expect(modules.length).toBeGreaterThan(3);
  const replaced = {
    "plugins/local/kernel/kernel.wasm": "kernel-plain.wasm",
    "src/replies/kernel/numbers.wasm": "plain-lists.ts",
  };
  for (const path of modules) {
    const isValid = WebAssembly.validate(readFileSync(join(root, path)));
    expect([path, isValid]).toEqual([path, !IS_WITHOUT_SIMD || !(path in replaced)]);
  }
});

test("everything that the processor can run is there, and the fastest is used", () => {
  expect(NATIVES.length).toBe(VARIANTS.filter(runs).length);
  expect(native() === "without").toBe(!VARIANTS.some(runs));
});

test.skipIf(!IS_WITHOUT_SIMD)("without AVX there is none, with the reason", () => {
  expect(() => openNative("avx2")).toThrow("no AVX");
});

test.skipIf(NATIVES.length === 0)("printing continues where it stopped, and stays within its buffer", () => {
  const values = Float32Array.from({ length: 64 }, (_, i) => (i === 40 ? 1e-9 : -(i + 1) / 1000));
  for (const { print } of NATIVES) {
    for (let room = 0; room < 900; room++) {
      const bytes = new Uint8Array(1000).fill(1);
      const progress = Uint32Array.of(0, 0);
      const how = print(values, bytes.subarray(0, room), progress);
      const [done = 0, end = 0] = progress;
      expect(how).not.toBe(ALL_PRINTED);
      if (how === OTHER_VALUE) expect(done).toBe(40);
      expect(bytes.subarray(0, end).toString()).not.toContain(",1,");
      expect(bytes.subarray(room).every((byte) => byte === 1)).toBe(true);
      const text = Buffer.from(bytes.subarray(0, end)).toString("latin1");
      expect(text).toBe([...values.subarray(0, done)].map((_, i) => `${-(i + 1) / 1000},`).join(""));
    }
  }
});

test.skipIf(NATIVES.length === 0)(
  "base64 is written and read within its bounds, whatever lies around it",
  () => {
    for (const { encode, decode } of NATIVES) {
      for (let count = 0; count < 200; count++) {
        const values = Float32Array.from({ length: count }, (_, i) => Math.sin(i + count));
        const expected = new Uint8Array(values.buffer).toBase64();
        const bytes = new Uint8Array(expected.length + 40).fill(1);
        expect(encode(values, bytes, 20)).toBe(expected.length);
        expect(Buffer.from(bytes.subarray(20, 20 + expected.length)).toString("latin1")).toBe(expected);
        expect(
          [...bytes.subarray(0, 20), ...bytes.subarray(20 + expected.length)].every((one) => one === 1),
        ).toBe(true);
        const memory = new Float32Array(count + 20).fill(7);
        const read = memory.subarray(10, 10 + count);
        expect(decode(bytes, 20, 20 + expected.length, read)).toBe(values.byteLength);
        expect(read).toEqual(values);
        expect([...memory.subarray(0, 10), ...memory.subarray(10 + count)].every((one) => one === 7)).toBe(
          true,
        );
      }
    }
  },
);
