/**
 * Received bytes of a connection that were not read yet. Each byte is searched for a delimiter only once, however small the pieces are.
 */

const NOTHING = new Uint8Array();

export class Unread {
  private bytes: Uint8Array = NOTHING;
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
      this.bytes = chunk;
      this.isOwn = false;
      this.from = 0;
      this.to = chunk.byteLength;
      return;
    }
    if (!this.isOwn || this.to + chunk.byteLength > this.bytes.byteLength) {
      // Doubles the size, so that each byte is copied a bounded number of times.
      const larger = new Uint8Array(2 * (size + chunk.byteLength));
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
  take(count: number): Uint8Array {
    const end = Math.min(this.to, this.from + count);
    const taken = this.bytes.subarray(this.from, end);
    this.from = end;
    this.searched = 0;
    // An idle connection must not keep its last reply in memory.
    if (end === this.to) this.forget();
    return taken;
  }

  private forget(): void {
    this.bytes = NOTHING;
    this.isOwn = false;
    this.from = 0;
    this.to = 0;
  }

  /** Takes everything up to and including the delimiter; undefined if it has not arrived yet. Repeated calls must use the same delimiter. */
  takeUntil(end: Uint8Array): Buffer | undefined {
    const { buffer, byteOffset } = this.bytes;
    const text = Buffer.from(buffer, byteOffset + this.from, this.size);
    const at = text.indexOf(end, this.searched);
    if (at === -1) {
      this.searched = Math.max(0, this.size - end.byteLength + 1);
      return undefined;
    }
    this.take(at + end.byteLength);
    return text.subarray(0, at);
  }
}
