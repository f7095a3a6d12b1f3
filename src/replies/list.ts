/**
 * The result of reading a list of numbers from a reply, by either reader: lists.ts with its kernel, or plain-lists.ts without.
 */

/**
 * Returns space for this many numbers, which the caller fills at once.
 * @param bytes how many bytes they take in the reply
 */
export type Room = (count: number, bytes: number) => Float32Array;

export interface List {
  readonly values: Float32Array;
  /** The position after the closing bracket. */
  readonly end: number;
}
