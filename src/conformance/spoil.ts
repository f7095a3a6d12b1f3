/**
 * Makes a valid reply invalid without knowing its format: vectors are found in its JSON by their shape.
 * A new way to be wrong is a row of SPOILINGS; a reply in which no vectors are found is not spoiled.
 */

/** The reply with its vectors made invalid; undefined if none are found. */
export type Spoiling = (body: string, count: number) => string | undefined;

export const SPOILINGS: Readonly<Record<string, Spoiling>> = {
  "no vectors": (body, count) => withList(body, count, () => []),
  "a vector too few": (body, count) => withList(body, count, (list) => list.slice(1)),
  "a vector too many": (body, count) => withList(body, count, (list) => [...list, list[0]]),
  "a vector of zeros": (body) => withVectors(body, (vector) => changed(vector, (values) => values.fill(0))),
  "vectors of two sizes": (body, count) =>
    count < 2
      ? undefined
      : withVectors(body, (vector, place) =>
          place === 0 ? changed(vector, (values) => values.subarray(1)) : vector,
        ),
  NaN: (body) => withVectors(body, (vector) => changed(vector, (values) => values.fill(Number.NaN))),
};

/** The reply in another order, with its indices; undefined if it has none, or too few to tell. */
export function reversed(body: string, count: number): string | undefined {
  // Whatever the vendor calls it: a member that counts 0, 1, 2 and so on.
  const indexed = ([first, ...others]: readonly unknown[]) =>
    typeof first === "object" &&
    Object.entries(Object(first)).some(
      ([name, value]) => value === 0 && others.every((entry, i) => Object(entry)[name] === i + 1),
    );
  if (count < 2) return undefined;
  let seen = false;
  const turned = withList(body, count, (list) => {
    seen = indexed(list);
    return [...list].reverse();
  });
  return seen ? turned : undefined;
}

type Vector = readonly number[] | string;

/** A shorter list of numbers may be anything. */
const NUMBERS_MIN = 8;

function isVector(value: unknown): value is Vector {
  if (typeof value === "string") return isPacked(value);
  return Array.isArray(value) && value.length >= NUMBERS_MIN && value.every((one) => typeof one === "number");
}

/** base64 of float32: an id with as many letters would decode to numbers of arbitrary size. */
function isPacked(text: string): boolean {
  if (text.length < NUMBERS_MIN * 4 || !/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0)
    return false;
  const bytes = Uint8Array.fromBase64(text);
  if (bytes.byteLength % 4 !== 0) return false;
  return new Float32Array(bytes.buffer).every((value) => Math.abs(value) < 1000);
}

const holdsVector = (value: unknown): boolean =>
  isVector(value) ||
  (typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).some(holdsVector));

function changed(vector: Vector, change: (values: Float32Array) => Float32Array): unknown {
  if (typeof vector !== "string") return [...change(Float32Array.from(vector))];
  const bytes = Uint8Array.fromBase64(vector);
  const values = change(new Float32Array(bytes.buffer));
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength).toBase64();
}

/** The first list with as many vectors as there are inputs, in another form. */
function withList(
  body: string,
  count: number,
  change: (list: readonly unknown[]) => unknown,
): string | undefined {
  let found = false;
  const walk = (value: unknown): unknown => {
    if (found || typeof value !== "object" || value === null) return value;
    if (Array.isArray(value)) {
      if (value.length !== count || !value.every(holdsVector)) return value.map(walk);
      found = true;
      return change(value);
    }
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
  };
  const spoiled = JSON.stringify(walk(parsed(body)));
  return found ? spoiled : undefined;
}

/** Every vector of the reply in another form, wherever it is. */
function withVectors(body: string, change: (vector: Vector, place: number) => unknown): string | undefined {
  let places = 0;
  const walk = (value: unknown): unknown => {
    if (isVector(value)) return change(value, places++);
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, walk(inner)]));
  };
  const spoiled = JSON.stringify(walk(parsed(body)));
  return places > 0 ? spoiled : undefined;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    // The reply is not JSON: nothing is found in it.
    return undefined;
  }
}
