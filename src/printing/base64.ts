/**
 * Prints float32 values as base64 of their little-endian bytes, the byte order of every processor that Bun supports.
 */
import { native } from "../native/native";
import type { ByteWriter } from "./byte-writer";

/** @param by what prints; left out: the fastest */
export function printBase64(values: Float32Array, writer: ByteWriter, by = native()): void {
  if (by === "without") {
    writer.writeAscii(new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64());
    return;
  }
  const bytes = writer.reserve(4 * Math.ceil(values.byteLength / 3));
  writer.advance(writer.place + by.encode(values, bytes, writer.place));
}
