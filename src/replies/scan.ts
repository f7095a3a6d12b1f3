/**
 * Extracts a reply's vectors from its bytes: lists of numbers and base64 become float32 where they are, and what is left is a small JSON text.
 * A new way to write a vector is a branch of `scan` that passes it to `one`.
 *
 * Nothing is validated here: JSON.parse validates the rest, in which each vector is replaced by its number among those found. A list, a string
 * and a number are each one value, so the rest is valid JSON exactly if the whole reply is. At the position of a vector every bare number
 * is extracted too, so that every number at such a position in the rest is ours: a reply cannot forge one.
 */
import type { Room } from "./list";
import { Lists } from "./lists";
import type { Member, Places } from "./places";

export interface Scanned {
  /** The reply's JSON with a number in the place of each of `found`. */
  readonly rest: Uint8Array;
  readonly found: readonly Found[];
}

/** A vector; or a bare number at the position of one. */
export type Found = Float32Array | number;

const QUOTE = 34;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const LARGE_E = 69;
const OPEN_LIST = 91;
const BACKSLASH = 92;
const CLOSE_LIST = 93;
const SMALL_E = 101;
const OPEN_OBJECT = 123;
const CLOSE_OBJECT = 125;

/** A list or an object that is still open. */
interface Container {
  readonly isList: boolean;
  readonly places: Places | undefined;
}

/** @param room returns the space for each vector; the space is not returned if the text turns out not to be a vector */
export function scan(bytes: Uint8Array, places: Places, room: Room): Scanned {
  const scanning = new Scanning(bytes, places, room);
  while (scanning.next());
  return scanning.result();
}

/** The same in steps, one per vector: other replies may be scanned between two steps. */
export class Scanning {
  /** The position after the last vector. */
  at = 0;
  /** Whether the last vector was base64. */
  isBase64 = false;
  private readonly lists: Lists;
  private readonly rest: Rest;
  private readonly found: Found[] = [];
  private readonly open: Container[] = [];
  private inside: Container | undefined;
  private isKeyNext = false;

  /** @param awaited the schema's places for the next value */
  constructor(
    private readonly bytes: Uint8Array,
    private awaited: Places | undefined,
    private readonly room: Room,
  ) {
    this.lists = new Lists(bytes);
    this.rest = new Rest(bytes);
  }

  result(): Scanned {
    return { rest: this.rest.bytes(), found: this.found };
  }

  /** @returns false at the end */
  next(): boolean {
    const { bytes, room } = this;
    while (this.at < bytes.length) {
      const { at } = this;
      const character = bytes[at] ?? 0;
      let one: Found | undefined;
      let end = at + 1;
      if (character === QUOTE) {
        end = endOfString(bytes, at);
        // Unterminated, so it is not JSON.
        if (end === -1) return false;
        if (this.isKeyNext) {
          this.awaited = memberAt(this.inside?.places?.members, bytes, at, end);
          this.isKeyNext = false;
        } else if (this.awaited?.isVector) one = this.lists.readBase64(at + 1, end - 1, room);
      } else if (character === COMMA) {
        if (this.inside?.isList) this.awaited = this.inside.places?.entries;
        else this.isKeyNext = this.inside !== undefined;
      } else if (character === OPEN_LIST) {
        const list = this.awaited?.isVector ? this.lists.read(at, room) : undefined;
        if (list) ({ values: one, end } = list);
        else {
          this.enter(true);
          this.awaited = this.awaited?.entries;
        }
      } else if (character === OPEN_OBJECT) {
        this.enter(false);
        this.isKeyNext = true;
      } else if (character === CLOSE_LIST || character === CLOSE_OBJECT) {
        this.open.pop();
        this.inside = this.open.at(-1);
        this.isKeyNext = false;
      } else if (isOfNumber(character)) {
        while (isOfNumber(bytes[end] ?? 0)) end += 1;
        if (this.awaited?.isVector && !this.isKeyNext) one = numberIn(bytes, at, end);
      }
      this.at = end;
      if (one === undefined) continue;
      this.rest.replace(at, end, this.found.length);
      this.found.push(one);
      this.isBase64 = character === QUOTE;
      return true;
    }
    return false;
  }

  private enter(isList: boolean): void {
    this.inside = { isList, places: this.awaited };
    this.open.push(this.inside);
  }
}

/** JSON's white space only: JSON.parse refuses other white space. */
const NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

function numberIn(bytes: Uint8Array, from: number, to: number): number | undefined {
  const word = textOf(bytes, from, to, "latin1");
  return NUMBER.test(word) ? Number(word) : undefined;
}

const isOfNumber = (character: number) =>
  (character >= ZERO && character <= NINE) ||
  character === MINUS ||
  character === POINT ||
  character === SMALL_E ||
  character === PLUS ||
  character === LARGE_E;

const textOf = ({ buffer, byteOffset }: Uint8Array, from: number, to: number, encoding: "latin1" | "utf8") =>
  Buffer.from(buffer, byteOffset + from, to - from).toString(encoding);

/** Shorter strings are searched byte by byte: indexOf has a fixed cost of about this much. */
const SHORT = 32;

/** The position after the string that opens at a position; -1 if it never ends. */
function endOfString(bytes: Uint8Array, open: number): number {
  const near = Math.min(bytes.length, open + SHORT);
  let at = open + 1;
  for (; at < near; at++) {
    const character = bytes[at];
    if (character === QUOTE) return at + 1;
    if (character === BACKSLASH) at += 1;
  }
  while (true) {
    at = bytes.indexOf(QUOTE, at);
    if (at === -1) return -1;
    let before = at - 1;
    while (bytes[before] === BACKSLASH) before -= 1;
    // An even number of backslashes escape each other.
    if ((at - before) % 2 === 1) return at + 1;
    at += 1;
  }
}

/** The schema's places for the member whose key is between two positions, quotes included. */
function memberAt(
  members: readonly Member[] | undefined,
  bytes: Uint8Array,
  from: number,
  to: number,
): Places | undefined {
  if (members === undefined) return undefined;
  for (const { bytes: name, places } of members) {
    if (name.length !== to - from - 2) continue;
    let same = 0;
    while (same < name.length && name[same] === bytes[from + 1 + same]) same += 1;
    if (same === name.length) return places;
  }
  let plain = from;
  while (plain < to && bytes[plain] !== BACKSLASH) plain += 1;
  if (plain === to) return undefined;
  try {
    const key: unknown = JSON.parse(textOf(bytes, from, to, "utf8"));
    return members.find(({ name }) => name === key)?.places;
  } catch {
    // Not JSON: JSON.parse refuses it.
    return undefined;
  }
}

const NOTHING: Buffer = Buffer.alloc(0);

/** The reply without the extracted values. */
class Rest {
  private kept = NOTHING;
  private length = 0;
  private copiedTo = 0;

  constructor(private readonly whole: Uint8Array) {}

  replace(from: number, to: number, place: number): void {
    // Spaces keep two adjacent numbers apart: they are not JSON, but joined they would become a valid number.
    const word = ` ${place} `;
    this.copy(from, word.length);
    this.length += this.kept.write(word, this.length, "latin1");
    this.copiedTo = to;
  }

  bytes(): Uint8Array {
    if (this.copiedTo === 0) return this.whole;
    this.copy(this.whole.length, 0);
    return this.kept.subarray(0, this.length);
  }

  private copy(to: number, further: number): void {
    const piece = this.whole.subarray(this.copiedTo, to);
    const needed = this.length + piece.length + further;
    if (needed > this.kept.length) {
      const larger = Buffer.allocUnsafe(2 * needed + 256);
      if (this.length > 0) larger.set(this.kept.subarray(0, this.length));
      this.kept = larger;
    }
    this.kept.set(piece, this.length);
    this.length += piece.length;
  }
}
