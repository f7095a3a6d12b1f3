/**
 * Replies that are read in slices, or on another thread: the same result as reading them at once, and the same
 * errors.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { type Aside, openAside } from "../../src/aside/aside";
import { GatewayError } from "../../src/domain/errors";
import { lend } from "../../src/machine/lent-memory";
import { createHost } from "../../src/upstream/host";
import { fakeOutside } from "../fake-outside";

const opened: Aside[] = [];
afterAll(() => {
  for (const aside of opened) aside.close();
});

function open(threads: number) {
  const { outside } = fakeOutside();
  const aside = openAside({ threads, log: () => undefined });
  opened.push(aside);
  return { aside, host: createHost(outside, aside) };
}

const { host: here } = open(0);
const { t } = here;
const Reply = t.Object({
  data: t.Array(t.Object({ index: t.Integer(), embedding: here.wireVector })),
  model: t.String(),
});

const SIZE = 1000;
const VECTORS = Array.from({ length: 300 }, (_, row) =>
  Float32Array.from({ length: SIZE }, (_, column) => Math.sin(row * SIZE + column) * 10 ** -(column % 40)),
);
const replyOf = (write: (vector: Float32Array) => unknown) =>
  new TextEncoder().encode(
    JSON.stringify({
      data: VECTORS.map((vector, index) => ({ index, embedding: write(vector) })),
      model: "größer",
    }),
  );
const REPLIES = {
  numbers: replyOf((vector) => [...vector]),
  base64: replyOf((vector) => new Uint8Array(vector.buffer).toBase64()),
} as const;

async function refusalOf(work: Promise<unknown>): Promise<GatewayError> {
  const thrown = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (thrown instanceof GatewayError) return thrown;
  throw new Error(`not a GatewayError: ${String(thrown)}`);
}

describe.each([0, 1])("with %p threads, a reply of more than a megabyte", (threads) => {
  const { host } = open(threads);

  test.each(["numbers", "base64"] as const)("in %s is read like a small one", async (form) => {
    const bytes = REPLIES[form].slice();
    expect(bytes.length).toBeGreaterThan(1_000_000);
    const read = await host.readReply(Reply, bytes);
    expect(read).toEqual({
      data: VECTORS.map((embedding, index) => ({ index, embedding })),
      model: "größer",
    });
    expect(read).toEqual(host.read(Reply, REPLIES[form]));
  });

  test("is freed afterwards", async () => {
    const bytes = REPLIES.base64.slice();
    await host.readReply(Reply, bytes);
    expect(bytes.length).toBe(0);
  });

  test("that is part of other memory does not change it", async () => {
    const around = new Uint8Array(REPLIES.base64.length + 20).fill(7);
    const bytes = around.subarray(10, -10);
    bytes.set(REPLIES.base64);
    expect((await host.readReply(Reply, bytes)).data).toHaveLength(VECTORS.length);
    expect(around.subarray(-10)).toEqual(new Uint8Array(10).fill(7));
    expect(Buffer.compare(bytes, REPLIES.base64)).toBe(0);
  });

  test("uses no more than a megabyte with one of its vectors", async () => {
    const { data } = await host.readReply(Reply, REPLIES.numbers.slice());
    for (const { embedding } of data)
      expect(host.vector(embedding).buffer.byteLength).toBeLessThanOrEqual(1024 * 1024);
  });

  test("that is invalid JSON is malformed, and its start is quoted", async () => {
    const bytes = REPLIES.numbers.slice(0, -1);
    const { kind, message } = await refusalOf(host.readReply(Reply, bytes));
    expect(kind).toBe("malformed");
    expect(message).toContain('it starts "{"data":[{"index":0,');
  });

  test("that does not match its schema is malformed, and its place is named", async () => {
    const bytes = replyOf((vector) => (vector === VECTORS[7] ? null : [...vector]));
    const { kind, message } = await refusalOf(host.readReply(Reply, bytes));
    expect(kind).toBe("malformed");
    expect(message).toContain("'data[7].embedding' must be an array of numbers or base64, not null");
  });

  test("with a schema that has numbers for its vectors returns numbers", async () => {
    const Numbers = t.Object({ data: t.Array(t.Object({ embedding: t.Array(t.Number()) })) });
    const bytes = REPLIES.numbers.slice();
    const { data } = await host.readReply(Numbers, bytes);
    expect(data[7]?.embedding).toEqual([...(VECTORS[7] ?? [])]);
  });
});

test("a lost reply may be requested again", async () => {
  const { host, aside } = open(1);
  const work = host.readReply(Reply, REPLIES.numbers.slice());
  aside.close();
  expect((await refusalOf(work)).kind).toBe("unavailable");
});

test("memory that was lent for a reply is taken, and the vectors do not depend on it", async () => {
  const read = async (bytes: Uint8Array) => {
    const lent = lend(bytes.length);
    lent.set(bytes);
    const { data } = await here.readReply(Reply, lent);
    expect(lent.byteLength).toBe(0);
    return data.map(({ embedding }) => here.vector(embedding));
  };
  const first = await read(REPLIES.base64);
  // The same memory, with other bytes.
  lend(REPLIES.base64.length).fill(0);
  expect(first).toEqual(VECTORS);
});

test("two replies that are read in turns do not mix", async () => {
  let turns = 0;
  const turn = () => {
    turns += 1;
    return new Promise<void>((resolve) => setImmediate(resolve));
  };
  const aside = openAside({ threads: 0, turn, log: () => undefined });
  opened.push(aside);
  const host = createHost(fakeOutside().outside, aside);
  // Mostly numbers, one of which is longer than the machine code reads, so that both replies use what is shared between them.
  const long = (value: number) => `${value.toFixed(4)}${"0".repeat(100)}1`;
  const numbersOf = (seed: number, row: number) =>
    Array.from(
      { length: 500 },
      (_, column) => Math.round(Math.sin(seed + row * 500 + column) * 10_000) / 10_000,
    );
  const written = (seed: number) =>
    new TextEncoder().encode(
      `{"model":"m","data":[${Array.from({ length: 1000 }, (_, row) => {
        const numbers = numbersOf(seed, row);
        const base64 = new Uint8Array(Float32Array.from(numbers).buffer).toBase64();
        const vector =
          row % 10 === 0 ? `"${base64}"` : `[${long(numbers[0] ?? 0)},${numbers.slice(1).join()}]`;
        return `{"index":${row},"embedding":${vector}}`;
      }).join()}]}`,
    );
  const seeds = [1, 1_000_000];
  const all = await Promise.all(seeds.map((seed) => host.readReply(Reply, written(seed))));
  for (const [i, { data }] of all.entries())
    for (const { index, embedding } of data)
      expect(host.vector(embedding)).toEqual(Float32Array.from(numbersOf(seeds[i] ?? 0, index)));
  expect(turns).toBeGreaterThan(1);
});
