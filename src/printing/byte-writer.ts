/**
 * Writes bytes into one buffer that grows when needed.
 * Another kind of thing to write is a method that reserves space first.
 */
/** Printing numbers in groups (src/native/) needs some more space than the result. */
const SPARE_BYTES = 192;

export class ByteWriter {
  private bytes: Buffer<ArrayBuffer>;
  private end = 0;

  /**
   * @param size expected size, as far as known
   * @param memory to write to, if it is large enough
   */
  constructor(size: number, memory?: ArrayBuffer) {
    const isEnough = memory !== undefined && memory.byteLength >= size;
    // Not filled with zeros, which takes as long as base64: only written bytes are ever read.
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

  /** The buffer with at least this many free bytes: for code that writes from `place` on and then calls `advance`. */
  reserve(count: number): Buffer<ArrayBuffer> {
    this.room(count);
    return this.bytes;
  }

  /** Where the next byte goes. */
  get place(): number {
    return this.end;
  }

  /** @param end end of what was written into the reserved space */
  advance(end: number): void {
    this.end = end;
  }

  /** As UTF-8. */
  write(text: string): void {
    if (text.length * 3 > this.bytes.length - this.end) this.room(Buffer.byteLength(text));
    this.end += this.bytes.write(text, this.end);
  }

  /** ASCII only. */
  writeAscii(text: string): void {
    this.room(text.length);
    this.end += this.bytes.write(text, this.end, "latin1");
  }

  /** Removes the last byte. */
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
