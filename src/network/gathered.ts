/**
 * Joins bytes that arrive in pieces. Small pieces are copied at once: kept separately, each would need an object of some hundred bytes, and
 * would keep the memory that it is a part of from being freed.
 */

/** A piece of at least this size is kept as its own object. */
const LARGE_BYTES = 4_096;
const BLOCK_BYTES_MIN = 512;
const BLOCK_BYTES_MAX = 65_536;

export class Gathered {
  private readonly pieces: Uint8Array[] = [];
  /** Small pieces are copied here; the bytes before `used` are filled. */
  private block = new Uint8Array();
  private used = 0;
  private byteCount = 0;

  get size(): number {
    return this.byteCount;
  }

  /** @param piece must not be written to any more */
  add(piece: Uint8Array): void {
    const { byteLength } = piece;
    if (byteLength >= LARGE_BYTES) {
      this.endBlock();
      this.pieces.push(piece);
    } else if (byteLength > 0) {
      if (this.used + byteLength > this.block.byteLength) {
        this.endBlock();
        const wanted = Math.min(BLOCK_BYTES_MAX, Math.max(BLOCK_BYTES_MIN, this.byteCount));
        this.block = new Uint8Array(Math.max(wanted, byteLength));
      }
      this.block.set(piece, this.used);
      this.used += byteLength;
    }
    this.byteCount += byteLength;
  }

  /** All pieces, in memory of their own. */
  bytes(): Uint8Array<ArrayBuffer> {
    this.endBlock();
    const whole = new Uint8Array(this.byteCount);
    let at = 0;
    for (const piece of this.pieces) {
      whole.set(piece, at);
      at += piece.byteLength;
    }
    return whole;
  }

  private endBlock(): void {
    if (this.used > 0) this.pieces.push(this.block.subarray(0, this.used));
    // The rest of the block is used for later pieces.
    this.block = this.block.subarray(this.used);
    this.used = 0;
  }
}
