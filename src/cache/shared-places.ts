/**
 * The names of cache keys on a shared server, and how many go into one command: in a cluster all keys of a command must have the same hash tag,
 * and a command for too many keys would not be answered in time.
 */
import type { Reply } from "../domain/valkey";
import type { Place } from "../valkey/names";
import type { CacheKey } from "./entry";

export interface Placed extends Place {
  readonly key: CacheKey;
}

export function inCommands(places: readonly Placed[], most: number): Placed[][] {
  const commands: Placed[][] = [];
  for (const same of Map.groupBy(places, ({ tag }) => tag).values())
    for (let from = 0; from < same.length; from += most) commands.push(same.slice(from, from + most));
  return commands;
}

/** Reads a list of exactly this length. */
export const listOf =
  (length: number) =>
  (reply: Reply): readonly Reply[] | undefined => {
    const list: readonly Reply[] | undefined = Array.isArray(reply) ? reply : undefined;
    return list?.length === length ? list : undefined;
  };
