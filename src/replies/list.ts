/**
 * The result of reading a list of numbers in a reply, by either reader: lists.ts with its kernel, or plain-lists.ts without.
 */

/**
 * Gives room for so many numbers, which its caller fills at once.
 * @param bytes that they take in the reply
 */
export type Room = (count: number, bytes: number) => Float32Array;

export interface List {
  readonly values: Float32Array;
  /** The place after its closing bracket. */
  readonly end: number;
}
