/**
 * The schema's word for a vector, and where in a reply a schema has vectors: only there are they read as such.
 * A schema that leads to its parts in a new way (by pattern, by reference) needs a branch in `placesOf`; until then its vectors are read
 * as the numbers or the text that they are written in, which is slower and no less right.
 */
import { Kind, type TSchema, Type, TypeRegistry } from "@sinclair/typebox";
import type { WireVector } from "../plugin";

/** A vector that was read already. */
const READ = "ReadVector";
TypeRegistry.Set(READ, (_, value) => value instanceof Float32Array);

/** Numbers, or base64 of float32: what a reply carries for a vector, and what becomes of it. */
export const wireVector = Type.Unsafe<WireVector>(
  Type.Union([Type.Unsafe<Float32Array>({ [Kind]: READ }), Type.String(), Type.Array(Type.Number())], {
    expected: "an array of numbers or base64",
  }),
);

/** What is known of the values at one place of a reply. */
export interface Places {
  readonly isVector: boolean;
  /** Of a list: its entries. */
  readonly entries?: Places | undefined;
  /** Of an object: its members, of those that lead to vectors. */
  readonly members?: readonly Member[] | undefined;
}

export interface Member {
  readonly name: string;
  /** The name as it mostly is in a reply's bytes. */
  readonly bytes: Uint8Array;
  readonly places: Places;
}

/** Undefined where a schema has no vector anywhere. */
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

/** Of a value that may be either. */
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
