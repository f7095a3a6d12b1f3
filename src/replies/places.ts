/**
 * The schema type of a vector, and where in a reply a schema has vectors: only there are lists and strings read as vectors.
 * A schema that reaches its parts in a new way (by pattern, by reference) needs a branch in `placesOf`; until then its vectors are read
 * as ordinary numbers or text, which is slower but still correct.
 */
import { Kind, type TSchema, Type, TypeRegistry } from "@sinclair/typebox";
import type { WireVector } from "../plugin";

/** A vector that was already read. */
const READ = "ReadVector";
TypeRegistry.Set(READ, (_, value) => value instanceof Float32Array);

/** Numbers, or base64 of float32: what a reply contains for a vector, and its value after reading. */
export const wireVector = Type.Unsafe<WireVector>(
  Type.Union([Type.Unsafe<Float32Array>({ [Kind]: READ }), Type.String(), Type.Array(Type.Number())], {
    expected: "an array of numbers or base64",
  }),
);

/** What is known about the values at one position of a reply. */
export interface Places {
  readonly isVector: boolean;
  /** For a list: its entries. */
  readonly entries?: Places | undefined;
  /** For an object: the members that lead to vectors. */
  readonly members?: readonly Member[] | undefined;
}

export interface Member {
  readonly name: string;
  /** The name in its usual bytes in a reply. */
  readonly bytes: Uint8Array;
  readonly places: Places;
}

/** undefined if the schema has no vector anywhere. */
export function placesOf(schema: TSchema): Places | undefined {
  const { anyOf, items, properties }: Partial<Record<string, unknown>> = schema;
  if (schema[Kind] === READ) return { isVector: true };
  if (Array.isArray(anyOf)) return anyOf.map(placesOf).reduce(both, undefined);
  if (isSchema(items)) {
    const entries = placesOf(items);
    return entries && { isVector: false, entries };
  }
  const members = Object.entries(Object(properties)).flatMap(([name, member]) => {
    const places = isSchema(member) ? placesOf(member) : undefined;
    return places ? [memberOf(name, places)] : [];
  });
  return members.length > 0 ? { isVector: false, members } : undefined;
}

const memberOf = (name: string, places: Places): Member => ({
  name,
  bytes: new TextEncoder().encode(name),
  places,
});

const isSchema = (value: unknown): value is TSchema =>
  typeof value === "object" && value !== null && Kind in value;

/** For a value that may be either of two. */
function both(one: Places | undefined, other: Places | undefined): Places | undefined {
  if (!one || !other) return one ?? other;
  const members = new Map(one.members?.map((member) => [member.name, member]));
  for (const { name, places } of other.members ?? [])
    members.set(name, memberOf(name, both(members.get(name)?.places, places) ?? places));
  return {
    isVector: one.isVector || other.isVector,
    entries: both(one.entries, other.entries),
    members: members.size > 0 ? [...members.values()] : undefined,
  };
}
