/**
 * Numbers and base64 by machine code, in place: two to four times as fast as WebAssembly, and nothing is copied.
 * Only x86-64 Linux has it; its callers fall back to code with the same bytes. Another kind of processor is a line of `VARIANTS`, and
 * of kernel/loader.c.
 */
import { openCarriedLibrary } from "../machine/carried-library";
import libraryPath from "./native-linux-x64.so" with { type: "file" };

/** In the order of kernel/loader.c, which is from the slower to the faster. */
export const VARIANTS = ["avx2", "avx512"] as const;
export type Variant = (typeof VARIANTS)[number];

/** How a printing ended, as kernel/print.h says it. */
export const ALL_PRINTED = 0;
export const OTHER_VALUE = 1;

/** The result of reading a list, as kernel/numbers.h says it. */
export const CLOSED = 0;
export const SHORT = 1;
export const NO_LIST = 2;
export const LONG = 3;
export const FULL = 4;
export const DOUBT = 5;
export const LAST_DOUBT = 6;
/** Bytes that a list must have left, for its next number to be read. */
export const AHEAD_BYTES = 64;

export interface NativeBytes {
  /**
   * Prints values of 10⁻⁶ to 2²³ and zeros with a comma after each, into the room that there is.
   * @param progress how many values are printed, and where the text ends: read as the start, written with the end
   * @returns ALL_PRINTED; OTHER_VALUE before one that is out of the range; anything else where the room was too small
   */
  print(values: Float32Array, bytes: Uint8Array, progress: Uint32Array): number;
  /**
   * Reads base64 between two places, in whole groups of four.
   * @param values have room for exactly what it holds
   * @returns the bytes written, or -1 for a character that is not base64
   */
  decode(bytes: Uint8Array, from: number, to: number, values: Float32Array): number;
  /** Writes padded base64 at a place, where there is room for it. @returns the characters written */
  encode(values: Float32Array, bytes: Uint8Array, at: number): number;
  /**
   * Reads a JSON list's numbers, up to its bracket.
   * @param progress the place of the next number, and how many are read; where the last one is in doubt, from where to where it is
   * @returns CLOSED at the list's end; SHORT where fewer than AHEAD_BYTES are left; NO_LIST; LONG before a number that is too long
   *   for it; FULL where there is no room for a value; DOUBT, or LAST_DOUBT at the list's end, where the last value read is the caller's to
   *   read in full
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

/** A function that gives a vector of WebAssembly's SIMD. */
const SIMD_MODULE = Uint8Array.of(
  ...[
    0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98,
    11,
  ],
);

function openLibrary() {
  const { platform, arch } = process;
  if (platform !== "linux" || arch !== "x64") throw new Error(`there is none for ${platform}-${arch}`);
  // JavaScriptCore has it on every processor with AVX: without, there is nothing to look for.
  if (!WebAssembly.validate(SIMD_MODULE)) throw new Error("this processor has no AVX");
  return openCarriedLibrary(libraryPath, FUNCTIONS);
}

let library: ReturnType<typeof openLibrary> | undefined;

/** @throws Error with the reason where this machine cannot have it */
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

/** The fastest that this machine can have. Looked for once in each thread, at first use: it takes half a millisecond, which would delay the start. */
export function native(): NativeBytes | "without" {
  fastest ??= openFastest();
  return fastest;
}

function openFastest(): NativeBytes | "without" {
  for (const variant of VARIANTS.toReversed()) {
    try {
      return openNative(variant);
    } catch {
      // The next one, or WebAssembly: the bytes are the same.
    }
  }
  return "without";
}
