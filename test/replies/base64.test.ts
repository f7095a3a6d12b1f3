/** Base64 of a reply as float32: the result of a strict reader, or nothing. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { Lists } from "../../src/replies/lists";
import { NATIVES } from "../native/natives";

/** Between quotes, as in a reply. Fails if this machine's fastest reader reads it differently from the portable one. */
function read(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(`"${text}"`, "latin1");
  const [values, ...others] = (["without", ...NATIVES] as const).map((by) =>
    new Lists(bytes, by).readBase64(1, bytes.length - 1, (count) => new Float32Array(count)),
  );
  const [read, ...same] = [values, ...others].map((one) => one && new Uint8Array(one.buffer));
  for (const other of same) expect(other).toEqual(read);
  return read;
}

test("any float32 values, in any number", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 400 }), (some) => {
      const bytes = some.subarray(0, some.length - (some.length % 4));
      expect(read(bytes.toBase64())).toEqual(bytes.length === 0 ? undefined : new Uint8Array(bytes));
    }),
    { numRuns: 2_000 },
  );
});

test("the longest possible vector", () => {
  const bytes = crypto.getRandomValues(new Uint8Array(4 * 12_288));
  expect(read(bytes.toBase64())).toEqual(bytes);
});

test("an invalid character is found anywhere", () => {
  const bytes = Uint8Array.from({ length: 64 }, (_, i) => (i * 37) % 256);
  const text = bytes.toBase64();
  const isOne = (code: number) => /[A-Za-z0-9+/]/.test(String.fromCharCode(code));
  for (let code = 0; code < 256; code++) {
    if (isOne(code)) continue;
    for (let place = 0; place < text.length - 4; place++)
      expect(read(text.slice(0, place) + String.fromCharCode(code) + text.slice(place + 1))).toBeUndefined();
  }
});

test.each(["", "A", "AA", "AAA", "AAAA", "AAAAA===", "=AAAAAAA", "AAAAAA=A", "A===", "AAAAAAAAAAA"])(
  "%p is no float32",
  (text) => {
    expect(read(text)).toBeUndefined();
  },
);
