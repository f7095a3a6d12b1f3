/**
 * Parses a reply as JSON by its schema; vectors become float32 directly.
 * The caller checks the result against the schema.
 */
import type { Places } from "./places";
import { type Found, type Scanned, scan } from "./scan";
import { slabs } from "./slabs";

/** @throws SyntaxError or TypeError if it is not JSON in UTF-8 */
export function readJson(bytes: Uint8Array, places: Places | undefined): unknown {
  return places === undefined ? parse(bytes) : joined(scan(bytes, places, slabs(bytes.byteLength)), places);
}

/** Puts the results of a scan together again. */
export function joined({ rest, found }: Scanned, places: Places): unknown {
  return restored(parse(rest), places, found);
}

const decoder = new TextDecoder("utf-8", { fatal: true });
const parse = (bytes: Uint8Array): unknown => JSON.parse(decoder.decode(bytes));

/** In place: the value was just parsed and is not shared. */
function restored(value: unknown, places: Places, found: readonly Found[]): unknown {
  if (typeof value === "number") return places.isVector ? found[value] : value;
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    const { entries } = places;
    if (entries) for (let i = 0; i < value.length; i++) value[i] = restored(value[i], entries, found);
    return value;
  }
  for (const { name, places: inner } of places.members ?? [])
    if (Object.hasOwn(value, name))
      Reflect.set(value, name, restored(Reflect.get(value, name), inner, found));
  return value;
}
