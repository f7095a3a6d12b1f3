/** Machine-code libraries that are loaded from memory: each is its own, in whatever order. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { loadNative } from "../../plugins/local/native";
import { openCarriedLibrary } from "../../src/machine/carried-library";

const PRINTING = join(import.meta.dir, "../../src/native/native-linux-x64.so");
const KERNEL = join(import.meta.dir, "../../plugins/local/kernel/native-linux-x64.so");
const isHere = process.platform === "linux" && process.arch === "x64";

const canRun = { can_run: { args: ["i32"], returns: "i32" } } as const;
const kernelAt = { kernel_at: { args: ["i32"], returns: "ptr" } } as const;

test.skipIf(!isHere)("a second library is not mistaken for the first", async () => {
  const first = openCarriedLibrary(KERNEL, kernelAt);
  const second = openCarriedLibrary(PRINTING, canRun);
  expect(Object.keys(first)).toEqual(["kernel_at"]);
  expect(Object.keys(second)).toEqual(["can_run"]);
  const kernel = await loadNative("sse2", process);
  expect(kernel.embedAt).not.toBeNull();
});
