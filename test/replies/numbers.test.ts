/**
 * Numbers as text to float32: however a number is written, the kernel reads the bits that JSON.parse and a Float32Array give.
 * A form of number that it treats separately is a generator here.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { buildKernel } from "../../src/replies/kernel/build";
import { Lists } from "../../src/replies/lists";
import { NATIVES } from "../native/natives";

/** Without it the lists are read by plain-lists.ts, which has no limit of its own. */
const HAS_SIMD = WebAssembly.validate(
  readFileSync(join(import.meta.dir, "../../src/replies/kernel/numbers.wasm")),
);

test("numbers.ts compiles to the bytes of numbers.wasm", async () => {
  const committed = readFileSync(join(import.meta.dir, "../../src/replies/kernel/numbers.wasm"));
  expect(Buffer.compare(await buildKernel(), committed)).toBe(0);
}, 30_000);

/** At the very end of a reply a list is read by other code than where more follows. */
const BEHIND = ["", " ".repeat(100)];

/** undefined if it is not taken for a list of numbers. Fails if this machine's fastest reader differs from the portable one. */
function listIn(text: string): Float32Array | undefined {
  const lists = BEHIND.flatMap((behind) => {
    const bytes = new TextEncoder().encode(text + behind);
    return (["without", ...NATIVES] as const).map((by) => {
      const list = new Lists(bytes, by).read(text.indexOf("["), (count) => new Float32Array(count));
      if (list) expect(list.end).toBe(text.lastIndexOf("]") + 1);
      return list?.values;
    });
  });
  const [values, ...others] = lists;
  for (const other of others) expect(bitsOf(other)).toEqual(bitsOf(values));
  return values;
}

const bitsOf = (values: Float32Array | undefined) =>
  values && Array.from(new Uint32Array(values.slice().buffer));

function expectExact(numbers: readonly string[], between = ","): void {
  const text = `[${numbers.join(between)}]`;
  expect(bitsOf(listIn(text))).toEqual(bitsOf(Float32Array.from(JSON.parse(text))));
}

const digits = (minLength: number, maxLength: number) =>
  fc.array(fc.nat(9), { minLength, maxLength }).map((all) => all.join(""));
const sign = fc.constantFrom("", "-");
const whole = fc.oneof(
  fc.constant("0"),
  fc.tuple(fc.integer({ min: 1, max: 9 }), digits(0, 25)).map((parts) => parts.join("")),
);
const part = fc.oneof(
  fc.constant(""),
  fc
    .tuple(
      fc.oneof(
        fc.constant(""),
        digits(1, 20).map((all) => all.replaceAll(/\d/g, "0")),
      ),
      digits(1, 40),
    )
    .map(([zeros, more]) => `.${zeros}${more}`),
);
const exponent = fc.oneof(
  fc.constant(""),
  fc
    .tuple(
      fc.constantFrom("e", "E"),
      fc.constantFrom("", "+", "-"),
      fc.oneof(
        fc.integer({ min: 0, max: 60 }),
        fc.integer({ min: 0, max: 400 }),
        fc.bigInt({ min: 0n, max: 10n ** 30n }),
      ),
    )
    .map((parts) => parts.join("")),
);
const written = fc.tuple(sign, whole, part, exponent).map((parts) => parts.join(""));

const anyBits = fc.oneof(
  fc.integer({ min: 0, max: 0xffffffff }),
  // Each exponent, and the ends of its range.
  fc
    .tuple(fc.nat(1), fc.nat(255), fc.oneof(fc.nat(0x7fffff), fc.constantFrom(0, 1, 0x7ffffe, 0x7fffff)))
    .map(([top, middle, low]) => ((top << 31) | (middle << 23) | low) >>> 0),
);
const floatOf = (bits: number) => new Float32Array(Uint32Array.of(bits).buffer)[0] ?? 0;
const finite = anyBits.map(floatOf).filter(Number.isFinite);
const said = (value: number) => (Object.is(value, -0) ? "-0" : String(value));

const runs = { numRuns: 3_000 };
const lists = (number: fc.Arbitrary<string>) => fc.array(number, { minLength: 1, maxLength: 20 });

describe("a number", () => {
  test("of any digits, with any exponent, has its float32", () => {
    fc.assert(
      fc.property(lists(written), (numbers) => expectExact(numbers)),
      runs,
    );
  });

  test("printed by a program, as a float32 or as a double, has its float32", () => {
    const printed = fc.oneof(
      finite.map(said),
      finite.map((value) => value.toExponential()),
      fc.tuple(finite, fc.integer({ min: 1, max: 25 })).map(([value, size]) => value.toPrecision(size)),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(said),
      fc.double({ min: -1, max: 1, noNaN: true }).map(said),
      fc
        .tuple(fc.double({ min: -1, max: 1, noNaN: true }), fc.integer({ min: 0, max: 40 }))
        .map(([value, size]) => value.toFixed(size)),
    );
    fc.assert(
      fc.property(lists(printed), (numbers) => expectExact(numbers)),
      runs,
    );
  });

  test("at the midpoint between two float32, or next to it, is rounded correctly", () => {
    const nearMiddles = fc
      .tuple(finite, fc.integer({ min: 16, max: 100 }), fc.integer({ min: -3, max: 3 }))
      .map(([value, size, steps]) => {
        const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
        const next = floatOf(bits + 1);
        // Exact in a double, except for the largest of all.
        const middle = new Float64Array([Number.isFinite(next) ? (value + next) / 2 : 3.4028235677973366e38]);
        const stepped = new BigInt64Array(middle.buffer);
        stepped[0] = (stepped[0] ?? 0n) + BigInt(steps);
        return (middle[0] ?? 0).toPrecision(size);
      })
      .filter((text) => /^[-\d.e+]+$/.test(text));
    fc.assert(
      fc.property(lists(nearMiddles), (numbers) => expectExact(numbers)),
      { numRuns: 10_000 },
    );
  });

  test("at the midpoint between two float32 with a digit after it is above it, however far after", () => {
    const middle = (1 + (1 + 2 ** -23)) / 2;
    for (let zeros = 0; zeros < 60; zeros++)
      for (const sign of ["", "-"]) expectExact([`${sign}${middle.toFixed(24)}${"0".repeat(zeros)}1`]);
  });

  test("of each sign, zero and position of the point has its float32", () => {
    const numbers = ["", "-"].flatMap((sign) =>
      [
        "0",
        "0.0",
        "0e5",
        "0E-99999999999",
        "0.000000000000000000000000000001",
        "1e400",
        "1e-400",
        "1.0",
        "12.5",
        "100.25",
      ]
        .concat([
          "999999999999999999999999.5",
          "3.4028235e38",
          "3.4028236e38",
          "1.1754944e-38",
          "1e-45",
          "7e-46",
          "123456e-3",
        ])
        .map((number) => sign + number),
    );
    expectExact(numbers);
  });
});

describe("a list", () => {
  test("may have white space wherever JSON allows it", () => {
    const space = fc
      .array(fc.constantFrom(" ", "\n", "\t", "\r"), { maxLength: 20 })
      .map((all) => all.join(""));
    fc.assert(
      fc.property(lists(written), space, space, (numbers, before, after) => {
        expectExact(numbers.map((number) => before + number + after));
      }),
    );
  });

  test("of typical numbers, with others anywhere between them", () => {
    const usual = fc
      .tuple(
        sign,
        fc.nat(9),
        fc.integer({ min: 1, max: 34 }).chain((size) => digits(size, size)),
      )
      .map(([before, whole, part]) => `${before}${whole}.${part}`);
    const number = fc.oneof({ weight: 12, arbitrary: usual }, { weight: 1, arbitrary: written });
    fc.assert(
      fc.property(
        fc.array(number, { minLength: 1, maxLength: 80 }),
        fc.constantFrom(",", ", "),
        (numbers, between) => expectExact(numbers, between),
      ),
      runs,
    );
  });

  test("longer than one read is read in pieces, wherever it is cut", () => {
    for (const [count, number] of [
      [70_000, "1"],
      [40_000, "-0.012345678901234567"],
      [30_000, "  1.5e-7 \n"],
    ] as const) {
      for (let shift = 0; shift < 30; shift += 7)
        expectExact([`${" ".repeat(shift)}0.25`, ...Array.from({ length: count }, () => number)]);
    }
  });

  test.skipIf(!HAS_SIMD).each(["1".repeat(140_000), `0.${"3".repeat(300_000)}`])(
    "with a number longer than that is left to others",
    (number) => {
      expect(listIn(`[1,${number}]`)).toBeUndefined();
    },
  );

  test.each(
    [
      "",
      " ",
      "1,",
      ",1",
      "1,,2",
      "1 2",
      "01",
      "00",
      "-01",
      "1.",
      ".5",
      "-.5",
      "+1",
      "-",
      "--1",
      "1e",
      "1e+",
      "1.e5",
      "1.5.5",
      "0x10",
    ].concat([
      "NaN",
      "Infinity",
      "null",
      "true",
      '"1"',
      "[1]",
      "{}",
      "1;2",
      "1\u00002",
      "\u00a01",
      "1\u000b",
      "1e5.5",
      "1_000",
      "½",
    ]),
  )("of %j is none of numbers", (inside) => {
    expect(listIn(`[${inside}]`)).toBeUndefined();
    expect(listIn(`[${"0.5,".repeat(40)}${inside}]`)).toBeUndefined();
    expect(listIn(`[${"0.5,".repeat(40)}${inside},${Array(40).fill("0.25").join()}]`)).toBeUndefined();
  });

  test("that never ends is refused", () => {
    fc.assert(
      fc.property(lists(written), fc.nat(200), (numbers, cut) => {
        const text = `[${numbers.join(" , ")}`;
        expect(listIn(text.slice(0, 1 + (cut % text.length)))).toBeUndefined();
      }),
    );
  });
});
