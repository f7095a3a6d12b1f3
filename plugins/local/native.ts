/**
 * The native kernel. Its code and the model's weights are in memory once per process, and every Worker uses them there.
 * For x86-64 Linux only; elsewhere, or where loading fails, `loadNative` throws the reason and WebAssembly is used.
 * Another kind of processor is a line in `NATIVE_KERNELS` and in kernel/native/loader.c.
 */
import { dlopen, type Pointer, ptr, toArrayBuffer } from "bun:ffi";
import { closeSync, fstatSync, openSync, readFileSync, writeSync } from "node:fs";
import { isExecutable } from "./executable";
import libraryPath from "./kernel/native-linux-x64.so" with { type: "file" };
import { BATCH_TOKENS } from "./sizes";
import weightsPath from "./weights/weights.bin" with { type: "file" };

/** In the order of kernel/native/loader.c: from the slowest to the fastest. */
export const NATIVE_KERNELS = ["sse2", "avx2", "avx512"] as const;
export type NativeKernel = (typeof NATIVE_KERNELS)[number];

/** An address is valid in every thread, and its memory stays until the process ends. */
export interface Native {
  readonly kernel: NativeKernel;
  readonly embedAt: Pointer | bigint;
  readonly parametersAt: number;
  readonly scratchBytes: number;
}

const SYMBOLS = {
  kernel_at: { args: ["i32"], returns: "ptr" },
  kernel_scratch_bytes: { args: ["i32", "i32"], returns: "u32" },
  map_file: { args: ["i32", "u64", "u64"], returns: "ptr" },
} as const;

type Library = ReturnType<typeof openLibrary>;

/** mmap accepts only offsets that are a multiple of this. */
const PAGE = 4096;
/** How many of the first and last bytes of the weights are compared with what was found. */
const SAMPLE = 4096;
/** The executable's embedded files are at its end, with few bytes after the weights. */
const SEARCHED_BYTES = 64 * 1024 * 1024;

let loading: Promise<{ readonly library: Library; readonly parametersAt: number }> | undefined;
/** Weights that had to be copied: the Workers know their address only, so something must hold a reference to them. */
let copied: Buffer | undefined;

/** The platform in the words of `process`. */
export interface Machine {
  readonly platform: string;
  readonly arch: string;
}

/** The named kernel, ready for use. Throws the reason when this machine does not support it. */
export async function loadNative(kernel: NativeKernel, { platform, arch }: Machine): Promise<Native> {
  if (platform !== "linux" || arch !== "x64") throw new Error(`there is none for ${platform}-${arch}`);
  loading ??= load();
  const { library, parametersAt } = await loading;
  const place = NATIVE_KERNELS.indexOf(kernel);
  const embedAt = library.symbols.kernel_at(place);
  if (embedAt === null) throw new Error("this CPU does not have its instructions");
  const scratchBytes = library.symbols.kernel_scratch_bytes(place, BATCH_TOKENS);
  return { kernel, embedAt, parametersAt, scratchBytes };
}

async function load() {
  const library = openLibrary();
  return { library, parametersAt: await mapWeights(library) };
}

/**
 * The dynamic linker opens files on disk only, but the library is inside the executable. A memory file needs no writable folder and no folder
 * that allows execution, and leaves nothing behind.
 */
function openLibrary() {
  const file = createMemoryFile();
  writeSync(file, readFileSync(libraryPath));
  // Stays open: glibc knows a library by its name, and once closed the next one would get the same number, so the same name and this code.
  return dlopen(`/proc/self/fd/${file}`, SYMBOLS);
}

function createMemoryFile(): number {
  const CLOSE_ON_EXEC = 1;
  const file = openC().symbols.memfd_create(Buffer.from("embedgate-kernel\0"), CLOSE_ON_EXEC);
  if (file < 0) throw new Error("the operating system provides no file in memory");
  return file;
}

function openC() {
  const symbols = { memfd_create: { args: ["ptr", "u32"], returns: "i32" } } as const;
  try {
    return dlopen("libc.so.6", symbols);
  } catch {
    return dlopen("libc.musl-x86_64.so.1", symbols);
  }
}

/**
 * The address of the weights, mapped from the disk where possible: a copy would take 14 ms and 23 MB in each process.
 * The weights are a file of their own, or a part of the executable.
 */
async function mapWeights(library: Library): Promise<number> {
  const weights = Bun.file(weightsPath);
  const lastSample = weights.size - SAMPLE;
  const beginning = Buffer.from(await weights.slice(0, SAMPLE).arrayBuffer());
  const end = Buffer.from(await weights.slice(lastSample, weights.size).arrayBuffer());
  const file = openSync(isExecutable() ? "/proc/self/exe" : weightsPath, "r");
  try {
    const { size } = fstatSync(file);
    const from = Math.max(0, Math.floor((size - SEARCHED_BYTES) / PAGE) * PAGE);
    const address = library.symbols.map_file(file, from, size - from);
    if (address === null) return copy();
    const mapped = Buffer.from(toArrayBuffer(address, 0, size - from));
    // Searched backwards from the last possible start: every page that is read counts towards the process's memory.
    const place = mapped.lastIndexOf(beginning, mapped.length - weights.size);
    const isWhole = place !== -1 && mapped.subarray(place + lastSample, place + weights.size).equals(end);
    return isWhole ? Number(address) + place : copy();
  } finally {
    closeSync(file);
  }
}

function copy(): number {
  copied = readFileSync(weightsPath);
  return ptr(copied);
}
