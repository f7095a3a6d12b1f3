/** A set of row numbers with one bit per row, so that millions of rows need little memory. */
export interface RowSet {
  readonly size: number;
  add(row: number): void;
  has(row: number): boolean;
}

export function createRowSet(): RowSet {
  let bits = new Uint8Array(1_024);
  let size = 0;
  const has = (row: number) => ((bits[row >>> 3] ?? 0) & (1 << (row & 7))) !== 0;
  return {
    get size() {
      return size;
    },
    has,
    add(row) {
      if (has(row)) return;
      const place = row >>> 3;
      if (place >= bits.length) {
        const more = new Uint8Array(Math.max(place + 1, bits.length * 2));
        more.set(bits);
        bits = more;
      }
      bits[place] = (bits[place] ?? 0) | (1 << (row & 7));
      size += 1;
    },
  };
}
