/**
 * Received bytes of a connection that were not read yet. Each byte is searched for a delimiter only once, however small the pieces are.
 */

const NOTHING: Buffer = Buffer.alloc(0);

export class Unread {
  private bytes = NOTHING;
  private from = 0;
  private to = 0;
  /** Whether this object owns the memory and may write to it. */
  private isOwn = false;
  /** The bytes after `from` in which the delimiter does not start. */
  private searched = 0;

  get size(): number {
    return this.to - this.from;
  }

  /** @param chunk must not be written to any more */
  add(chunk: Uint8Array): void {
    const { size } = this;
    if (size === 0) {
      this.bytes = bufferOf(chunk);
      this.isOwn = false;
      this.from = 0;
      this.to = chunk.byteLength;
      return;
    }
    if (!this.isOwn || this.to + chunk.byteLength > this.bytes.byteLength) {
      // Doubles the size, so that each byte is copied a bounded number of times.
      const larger = Buffer.alloc(2 * (size + chunk.byteLength));
      larger.set(this.bytes.subarray(this.from, this.to));
      this.bytes = larger;
      this.isOwn = true;
      this.from = 0;
      this.to = size;
    }
    this.bytes.set(chunk, this.to);
    this.to += chunk.byteLength;
  }

  /** Takes at most this many bytes. Their memory is not written to any more. */
  take(count: number): Uint8Array<ArrayBuffer> {
    const { from } = this;
    const size = Math.min(this.size, count);
    const { buffer, byteOffset } = this.bytes;
    // Bytes of a socket are never in shared memory. Not a `Buffer`: its `slice` makes no copy.
    const taken =
      buffer instanceof ArrayBuffer
        ? new Uint8Array(buffer, byteOffset + from, size)
        : new Uint8Array(this.bytes.subarray(from, from + size));
    this.skip(size);
    return taken;
  }

  private forget(): void {
    this.bytes = NOTHING;
    this.isOwn = false;
    this.from = 0;
    this.to = 0;
  }

  /** Takes everything up to and including the delimiter; undefined if it has not arrived yet. Repeated calls must use the same delimiter. */
  takeUntil(end: Uint8Array): string | undefined {
    const { from } = this;
    const filled = this.to === this.bytes.byteLength ? this.bytes : this.bytes.subarray(0, this.to);
    const at = filled.indexOf(end, from + this.searched);
    if (at === -1) {
      this.searched = Math.max(0, this.size - end.byteLength + 1);
      return undefined;
    }
    const text = this.bytes.toString("latin1", from, at);
    this.skip(at + end.byteLength - from);
    return text;
  }

  private skip(count: number): void {
    this.from += count;
    this.searched = 0;
    // An idle connection must not keep its last reply in memory.
    if (this.from === this.to) this.forget();
  }
}

/** Bun's sockets give a `Buffer` anyway. */
const bufferOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
