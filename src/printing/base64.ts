/**
 * Prints float32 values as base64 of their bytes, little-endian, as every processor that Bun runs on keeps them.
 */
import { native } from "../native/native";
import type { ByteWriter } from "./byte-writer";

/** @param by what prints; left out, what is fastest */
export function printBase64(values: Float32Array, writer: ByteWriter, by = native()): void {
  if (by === "without") {
    writer.writeAscii(new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64());
    return;
  }
  const bytes = writer.reserve(4 * Math.ceil(values.byteLength / 3));
  writer.advance(writer.place + by.encode(values, bytes, writer.place));
}
