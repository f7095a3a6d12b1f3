/**
 * Prints pages of an answer as bytes. `float` and `base64` carry the same values bit for bit. It runs in Workers too (src/aside/).
 * A new encoding is a case of `write`, and a word in the schema.
 */
import { native } from "../native/native";
import { printBase64 } from "./base64";
import { ByteWriter } from "./byte-writer";
import { printFloats } from "./float-digits";
import { NUMBER_BYTES, type Page } from "./script";

const [QUOTE, OPEN, CLOSE] = [34, 91, 93];

/** Whether printing a page is faster than transferring it to another thread: with machine code it takes 0.3 ms. */
export const isQuick = () => native() !== "without";

/** The expected size of a printed page. */
export function bytesOf({ encoding, vectors, words }: Page): number {
  let bytes = 0;
  for (const said of words) bytes += said.length;
  for (const { length } of vectors) bytes += length * NUMBER_BYTES[encoding] + 4;
  return bytes;
}

/** @param room memory to print into, if it is large enough */
export function printPage(page: Page, room?: ArrayBuffer): Uint8Array<ArrayBuffer> {
  const { encoding, vectors, words } = page;
  const writer = new ByteWriter(bytesOf(page), room);
  for (let place = 0; place < words.length; place++) {
    writer.write(words[place] ?? "");
    const values = vectors[place];
    if (values) write[encoding](values, writer);
  }
  return writer.written();
}

const write = {
  /** A list in JSON; reading it back gives the same bits, including the sign of zero. */
  float(values: Float32Array, writer: ByteWriter): void {
    writer.byte(OPEN);
    printFloats(values, writer);
    // Replaces the comma after the last number.
    if (values.length > 0) writer.back();
    writer.byte(CLOSE);
  },
  base64(values: Float32Array, writer: ByteWriter): void {
    writer.byte(QUOTE);
    printBase64(values, writer);
    writer.byte(QUOTE);
  },
};
