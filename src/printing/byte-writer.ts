/**
 * Bytes that are written from the front, into one buffer that grows where it must.
 * Another kind of thing to write is a method that makes room first.
 */
/** What makes room for numbers in groups (src/native/) asks for some more than they take. */
const SPARE_BYTES = 192;

export class ByteWriter {
  private bytes: Buffer<ArrayBuffer>;
  private end = 0;

  /**
   * @param size of what will be written, as far as it is known
   * @param memory to write to, where it is large enough for that
   */
  constructor(size: number, memory?: ArrayBuffer) {
    const isEnough = memory !== undefined && memory.byteLength >= size;
    // Not filled with zeros, which takes as long as base64 does: only written bytes are ever read.
    this.bytes = isEnough ? Buffer.from(memory) : Buffer.allocUnsafeSlow(Math.ceil(size) + SPARE_BYTES);
  }

  byte(value: number): void {
    this.room(1);
    this.bytes[this.end++] = value;
  }

  put(bytes: Uint8Array): void {
    this.room(bytes.length);
    this.bytes.set(bytes, this.end);
    this.end += bytes.length;
  }

  /** All its memory, with room for so many bytes more at the least: for code that writes from `place` on and then calls `advance`. */
  reserve(count: number): Buffer<ArrayBuffer> {
    this.room(count);
    return this.bytes;
  }

  /** Where the next byte goes. */
  get place(): number {
    return this.end;
  }

  /** @param end of what was written into reserved memory */
  advance(end: number): void {
    this.end = end;
  }

  /** As UTF-8. */
  write(text: string): void {
    if (text.length * 3 > this.bytes.length - this.end) this.room(Buffer.byteLength(text));
    this.end += this.bytes.write(text, this.end);
  }

  /** Of ASCII alone. */
  writeAscii(text: string): void {
    this.room(text.length);
    this.end += this.bytes.write(text, this.end, "latin1");
  }

  /** Takes the last byte back. */
  back(): void {
    this.end -= 1;
  }

  written(): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(0, this.end);
  }

  private room(count: number): void {
    const needed = this.end + count;
    if (needed <= this.bytes.length) return;
    this.bytes = Buffer.from(
      this.bytes.buffer.transfer(Math.max(needed, Math.ceil(this.bytes.length * 1.25))),
    );
  }
}
