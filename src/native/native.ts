/**
 * Numbers and base64 by machine code, in place: two to four times as fast as WebAssembly, without copies.
 * Only for x86-64 Linux; elsewhere the callers use other code with the same results. Another kind of processor is a line of `VARIANTS`, and
 * of kernel/loader.c.
 */
import { openCarriedLibrary } from "../machine/carried-library";
import libraryPath from "./native-linux-x64.so" with { type: "file" };

/** In the order of kernel/loader.c, the slower first. */
export const VARIANTS = ["avx2", "avx512"] as const;
export type Variant = (typeof VARIANTS)[number];

/** The results of printing, as in kernel/print.h. */
export const ALL_PRINTED = 0;
export const OTHER_VALUE = 1;

/** The results of reading a list, as in kernel/numbers.h. */
export const CLOSED = 0;
export const SHORT = 1;
export const NO_LIST = 2;
export const LONG = 3;
export const FULL = 4;
export const DOUBT = 5;
export const LAST_DOUBT = 6;
/** Bytes that must be left in a list for its next number to be read. */
export const AHEAD_BYTES = 64;

export interface NativeBytes {
  /**
   * Prints values of 10⁻⁶ to 2²³ and zeros, with a comma after each, into the available space.
   * @param progress number of printed values, and where the text ends: read at the start, written at the end
   * @returns ALL_PRINTED; OTHER_VALUE before one outside the range; anything else if the space was too small
   */
  print(values: Float32Array, bytes: Uint8Array, progress: Uint32Array): number;
  /**
   * Reads base64 between two positions, in whole groups of four.
   * @param values has space for exactly the result
   * @returns the bytes written, or -1 for a character that is not base64
   */
  decode(bytes: Uint8Array, from: number, to: number, values: Float32Array): number;
  /** Writes padded base64 at a position with enough space. @returns the number of characters */
  encode(values: Float32Array, bytes: Uint8Array, at: number): number;
  /**
   * Reads a JSON list's numbers, up to its bracket.
   * @param progress the position of the next number, and how many were read; for a doubtful last one, its start and end
   * @returns CLOSED at the list's end; SHORT if fewer than AHEAD_BYTES are left; NO_LIST; LONG before a number that is too long
   * for it; FULL if there is no space for a value; DOUBT, or LAST_DOUBT at the list's end, if the caller must read the last value exactly
   */
  read(bytes: Uint8Array, values: Float32Array, progress: Uint32Array): number;
}

const FUNCTIONS = {
  can_run: { args: ["i32"], returns: "i32" },
  print_floats: { args: ["i32", "ptr", "u32", "ptr", "u32", "ptr"], returns: "i32" },
  decode_base64: { args: ["i32", "ptr", "u32", "u32", "ptr"], returns: "i32" },
  encode_base64: { args: ["i32", "ptr", "u32", "ptr", "u32"], returns: "i32" },
  read_numbers: { args: ["i32", "ptr", "u32", "ptr", "u32", "ptr"], returns: "i32" },
} as const;

/** A WebAssembly function that returns a SIMD vector. */
const SIMD_MODULE = Uint8Array.of(
  ...[
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98,
    11,
  ],
);

function openLibrary() {
  const { platform, arch } = process;
  if (platform !== "linux" || arch !== "x64") throw new Error(`there is none for ${platform}-${arch}`);
  // JavaScriptCore has it on every processor with AVX: without it, no variant can run.
  if (!WebAssembly.validate(SIMD_MODULE)) throw new Error("this processor has no AVX");
  return openCarriedLibrary(libraryPath, FUNCTIONS);
}

let library: ReturnType<typeof openLibrary> | undefined;

/** @throws Error with the reason if this machine cannot run it */
export function openNative(variant: Variant): NativeBytes {
  library ??= openLibrary();
  const { can_run, print_floats, decode_base64, encode_base64, read_numbers } = library;
  const place = VARIANTS.indexOf(variant);
  if (can_run(place) === 0) throw new Error("this processor does not have its instructions");
  return {
    print: (values, bytes, progress) =>
      print_floats(place, values, values.length, bytes, bytes.length, progress),
    decode: (bytes, from, to, values) => decode_base64(place, bytes, from, to - from, values),
    encode: (values, bytes, at) => encode_base64(place, values, values.byteLength, bytes, at),
    read: (bytes, values, progress) =>
      read_numbers(place, bytes, bytes.length, values, values.length, progress),
  };
}

let fastest: NativeBytes | "without" | undefined;

/** The fastest that this machine can run. Determined once per thread, at first use: it takes half a millisecond, which would delay the start. */
export function native(): NativeBytes | "without" {
  fastest ??= openFastest();
  return fastest;
}

function openFastest(): NativeBytes | "without" {
  for (const variant of VARIANTS.toReversed()) {
    try {
      return openNative(variant);
    } catch {
      // The next variant, or WebAssembly: the bytes are the same.
    }
  }
  return "without";
}
