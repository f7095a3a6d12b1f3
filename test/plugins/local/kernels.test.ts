/**
 * The kernels compared: every kernel that this machine can run gives kernel-plain.wasm's vectors bit for bit, and is chosen as the options say.
 * A machine without a kernel's instructions skips that kernel. `check` runs this file once more without SIMD in WebAssembly.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { chooseKernel } from "../../../plugins/local/kernel-choice";
import { type Kernel, openKernel } from "../../../plugins/local/kernels";
import { loadNative, NATIVE_KERNELS, type NativeKernel } from "../../../plugins/local/native";
import { BATCH_TOKENS } from "../../../plugins/local/sizes";
import { hasSimd, loadWasm } from "../../../plugins/local/wasm";
import { fakeOutside } from "../../fake-outside";
import { openLocal, referenceVectors, vectorOf } from "./local-model";

const VOCABULARY_SIZE = 30522;
const { random } = fakeOutside({}, 7).outside;
const whole = (from: number, to: number) => from + Math.floor(random() * (to - from + 1));

/** Lengths of texts that fill a batch completely, or only in part. */
function raggedLengths(): number[] {
  const lengths: number[] = [];
  const most = whole(2, BATCH_TOKENS);
  const longest = whole(0, 1) === 0 ? 20 : 256;
  for (let left = most; left >= 2; left -= lengths.at(-1) ?? left)
    lengths.push(whole(2, Math.min(longest, left)));
  return lengths;
}

const BATCHES = [
  [2],
  [256],
  [128, 128],
  Array<number>(BATCH_TOKENS / 2).fill(2),
  // Every number of tokens that a block of rows can have left over.
  ...Array.from({ length: 16 }, (_, i) => [i + 2]),
  ...Array.from({ length: 12 }, raggedLengths),
].map((lengths) => ({
  lengths,
  ids: lengths.flatMap((length) => Array.from({ length }, () => whole(0, VOCABULARY_SIZE - 1))),
}));

function embedAll(kernel: Kernel): Uint8Array<ArrayBuffer>[] {
  return BATCHES.map(({ lengths, ids }) => {
    kernel.lengths.set(lengths);
    kernel.ids.set(ids);
    const vectors = Float32Array.from(kernel.embed(lengths.length));
    return new Uint8Array(vectors.buffer);
  });
}

/** The module without SIMD runs everywhere. */
const expected = embedAll(openKernel(await loadWasm(false)));

function expectTheSame(kernel: Kernel): void {
  const vectors = embedAll(kernel);
  for (const [batch, { lengths }] of BATCHES.entries())
    expect([lengths, vectors[batch]]).toEqual([lengths, expected[batch]]);
}

/** The processor's features according to the system, to detect a kernel that it could run and does not load. */
const processor =
  process.platform === "linux" && process.arch === "x64" ? readFileSync("/proc/cpuinfo", "utf8") : "";
const FLAGS = {
  sse2: ["sse2"],
  avx2: ["avx2"],
  avx512: ["avx512f", "avx512dq", "avx512bw", "avx512vl", "avx512_vnni"],
};
const HAS_AVX = processor === "" ? hasSimd() : processor.includes(" avx ");
const runs = (name: NativeKernel) => FLAGS[name].every((flag) => processor.includes(` ${flag} `));

for (const name of NATIVE_KERNELS) {
  test.skipIf(!runs(name))(`${name} gives the bits of kernel-plain.wasm, batch by batch`, async () => {
    expectTheSame(openKernel(await loadNative(name, process)));
  });
}

test.skipIf(!hasSimd())("kernel.wasm gives the bits of kernel-plain.wasm, batch by batch", async () => {
  expectTheSame(openKernel(await loadWasm(true)));
});

test.skipIf(!runs("avx2"))("the native kernels use the weights where they lie, without a copy", async () => {
  const { parametersAt } = await loadNative("avx2", process);
  const mappings = readFileSync("/proc/self/maps", "utf8").split("\n");
  const holder = mappings.find((line) => {
    const [from = "", to = ""] = line.split(/[- ]/);
    return Number.parseInt(from, 16) <= parametersAt && parametersAt < Number.parseInt(to, 16);
  });
  expect(holder).toContain("/weights.bin");
});

test.each([true, false].filter((isSimd) => !isSimd || hasSimd()))(
  "threads that share the memory of a WebAssembly module do not disturb one another (SIMD: %p)",
  async (isSimd) => {
    const memory = await loadWasm(isSimd);
    const [one, other] = [openKernel(memory), openKernel(memory)];
    const [first, second] = [BATCHES.at(-1), BATCHES.at(-2)];
    if (first === undefined || second === undefined) throw new Error("There are batches.");
    one.ids.set(first.ids);
    one.lengths.set(first.lengths);
    other.ids.set(second.ids);
    other.lengths.set(second.lengths);
    const vectors = one.embed(first.lengths.length);
    const before = Float32Array.from(vectors);
    other.embed(second.lengths.length);
    expect(vectors).toEqual(before);
    expect([new Uint8Array(before.buffer)]).toEqual(expected.slice(-1));
  },
);

/** Without SIMD: the module that another system, which has no native kernel, takes there. */
test("`kernel: wasm` gives the same bits through the plugin and its Workers", async () => {
  const [wasm, fastest] = [openLocal({ workers: 1, kernel: "wasm" }), openLocal({ workers: 1 })];
  for (const { text } of referenceVectors().slice(0, 5))
    expect(await vectorOf(wasm, text)).toEqual(await vectorOf(fastest, text));
  await wasm.close?.();
  await fastest.close?.();
});

describe("the choice of a kernel", () => {
  const strange = { platform: "plan9", arch: "vax" };

  test("falls back to WebAssembly if there is no native one, with SIMD where there is any", async () => {
    const chosen = await chooseKernel(undefined, strange);
    const { modulePath } = await loadWasm(hasSimd());
    expect(chosen).toMatchObject({ kernel: "wasm", modulePath });
    expect(modulePath.includes("plain")).toBe(!hasSimd());
  });

  test("sees what WebAssembly lacks as this process was started", () => {
    expect(hasSimd()).toBe(process.env.BUN_JSC_useWasmSIMD !== "false" && HAS_AVX);
  });

  test("is the fastest that the machine can run if no option is set", async () => {
    expect((await chooseKernel(undefined)).kernel).toBe(NATIVE_KERNELS.findLast(runs) ?? "wasm");
  });

  test("says why the named kernel is not available", async () => {
    expect(chooseKernel("avx512", strange)).rejects.toThrow("there is none for plan9-vax");
  });
});
