/**
 * What comes of a list of numbers in a reply, by either reader: lists.ts with its kernel, or plain-lists.ts without.
 */

/** Gives room for so many numbers, which its caller fills at once. */
export type Room = (count: number) => Float32Array;

export interface List {
  readonly values: Float32Array;
  /** The place after its closing bracket. */
  readonly end: number;
}
