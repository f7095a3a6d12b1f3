/**
 * Bytes of a connection that came and were not read yet. Each byte is searched for a delimiter once, however few come at a time.
 */

export class Unread {
  private bytes: Uint8Array = new Uint8Array();
  private from = 0;
  private to = 0;
  /** Whether the memory is this object's own, and may be written to. */
  private isOwn = false;
  /** From `from` on: bytes in which the end that is looked for does not begin. */
  private searched = 0;

  get size(): number {
    return this.to - this.from;
  }

  /** @param chunk not to be written to any more */
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
      // Twice what is there: what is copied now was added since the last time.
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

  /** Takes up to so many. Their memory is not written to any more. */
  take(count: number): Uint8Array {
    const end = Math.min(this.to, this.from + count);
    const taken = this.bytes.subarray(this.from, end);
    this.from = end;
    this.searched = 0;
    return taken;
  }

  /** Takes what stands before the end, and the end; undefined where it has not come yet. Asked again, for the same end. */
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
