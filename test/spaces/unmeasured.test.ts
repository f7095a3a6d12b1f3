/**
 * Models with several routes before two of them were measured to agree: which one serves, how it is marked, and which stops at the first disagreement.
 */
import { describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeCarried } from "../../src/config/carried-fingerprints";
import { PROBES } from "../../src/domain/probes";
import { isProbe, LONG_TEXT, otherModel, rightModel, SHORT_TEXTS, TWO, vendors } from "./vendors";

const about = (sent: { readonly status: number; readonly headers: Headers }) => [
  sent.status,
  sent.headers.get("x-embedgate-provider"),
  sent.headers.get("x-embedding-space"),
];

describe("on an empty database, with the first route down", () => {
  test("the second serves at once, marked as unverified, until the first agrees", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    byHost.a.vectorOf = undefined;
    let now = 0;
    await using gateway = await open({ outside: { monotonic: () => now } });
    expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "b", "unverified:m@8"]);
    expect(gateway.gateway.spaces().notices()).toContainEqual(
      expect.objectContaining({
        provider: "b",
        out_of_service: false,
        message: expect.stringContaining("unverified"),
      }),
    );
    byHost.a.vectorOf = rightModel;
    now += 60_000;
    await gateway.post({ model: "m", input: "hello" });
    await quiet();
    expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "a", "m@8"]);
    expect(gateway.gateway.spaces().notices()).toEqual([]);
  });

  test("the header's value is what may be pinned", async () => {
    const { open, byHost } = vendors(TWO);
    byHost.a.vectorOf = undefined;
    await using gateway = await open();
    for (const pinned of ["m", "m@8", "unverified:m@8"]) {
      const sent = await gateway.post({ model: "m", input: "hello" }, { "x-embedgate-space": pinned });
      expect(sent.status).toBe(200);
    }
    expect(
      (await gateway.post({ model: "m", input: "hello" }, { "x-embedgate-space": "unverified:n" })).status,
    ).toBe(409);
  });

  test("if the first comes back and differs, the later one stops: both never serve together", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    byHost.a.vectorOf = undefined;
    byHost.b.vectorOf = otherModel;
    let now = 0;
    await using gateway = await open({ outside: { monotonic: () => now } });
    expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "b", "unverified:m@8"]);
    byHost.a.vectorOf = rightModel;
    // Up again, but not measured yet.
    expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "b", "unverified:m@8"]);
    expect(byHost.a.asked.every(isProbe)).toBe(true);
    now += 60_000;
    await gateway.post({ model: "m", input: "hello" });
    await quiet();
    expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "a", "m@8"]);
    byHost.a.vectorOf = undefined;
    await quiet();
    expect((await gateway.post({ model: "m", input: "hello" })).status).toBe(503);
    expect(gateway.gateway.spaces().notices()).toMatchObject([{ provider: "b", out_of_service: true }]);
  });

  test("unmeasured: refuse serves nothing of the second, for the file or one model", async () => {
    const yamls = [`${TWO}\nunmeasured: refuse\n`, TWO.replace("price: 1", "price: 1, unmeasured: refuse")];
    for (const yaml of yamls) {
      const { open, byHost, quiet } = vendors(yaml);
      byHost.a.vectorOf = undefined;
      await using gateway = await open();
      await quiet();
      const sent = await gateway.post({ model: "m", input: "hello" });
      expect(sent.status).toBe(503);
      expect(Object(sent.json).error.message).toMatch(
        /The model has 2 routes; its route '[^']+' is not used/,
      );
      expect(byHost.b.asked.every(isProbe)).toBe(true);
      const notices = gateway.gateway.spaces().notices();
      expect(notices.map(({ cosine }) => cosine)).toEqual([null, null]);
      expect(notices.map(({ provider }) => provider)).toContain("a");
      expect(notices.find(({ provider }) => provider === "b")?.message).toContain(
        "The route is not used yet",
      );
    }
  });
});

test("a second route that cannot be measured is not used, and operators see why", async () => {
  const { open, byHost, quiet } = vendors(TWO);
  byHost.b.vectorOf = undefined;
  await using gateway = await open();
  await quiet();
  expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "a", "m@8"]);
  expect(gateway.gateway.spaces().notices()).toMatchObject([
    { provider: "b", message: expect.stringContaining("not used yet") },
  ]);
});

describe("fingerprints that are delivered with the routing file", () => {
  const carried = (vectorOf: (text: string) => Float32Array) =>
    writeCarried([
      {
        space: "m",
        dimensions: 8,
        provider: "a",
        model: "m",
        measuredAt: 1_790_000_000_000,
        paidAt: null,
        confirmed: true,
        vectors: PROBES.map(({ text }) => vectorOf(text)),
      },
    ]);

  async function opened(vectorOf: (text: string) => Float32Array) {
    const first = vendors(TWO);
    const before = await first.open();
    const file = join(before.folder, "spaces.json");
    writeFileSync(file, carried(vectorOf));
    return { before, ...vendors(`${TWO}\nspace_fingerprints: ${JSON.stringify(file)}\n`) };
  }

  test("let the second serve as verified, on an empty database and with the first down", async () => {
    const { before, open, byHost, quiet } = await opened(rightModel);
    await using _before = before;
    byHost.a.vectorOf = undefined;
    await using gateway = await open();
    await quiet();
    expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "b", "m@8"]);
  });

  test("stop both if both differ, with fitting advice", async () => {
    const { before, open, quiet } = await opened(otherModel);
    await using _before = before;
    await using gateway = await open();
    await quiet();
    expect((await gateway.post({ model: "m", input: "hello" })).status).toBe(503);
    const messages = gateway.gateway
      .spaces()
      .notices()
      .map(({ message }) => message);
    expect(messages).toHaveLength(2);
    for (const message of messages) expect(message).toContain("space_fingerprints");
  });
});

describe("the long text", () => {
  test("is not sent to a model that does not accept texts of that length", async () => {
    const { open, byHost, quiet } = vendors(TWO.replace("price: 1", "price: 1, max_input_tokens: 256"));
    await using _gateway = await open();
    await quiet();
    expect(byHost.a.asked).toEqual([SHORT_TEXTS]);
  });

  test("may be refused: the route is still measured, by the others", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    byHost.b.vectorOf = (text) => {
      if (text === LONG_TEXT) throw new Error("input (514 tokens) is too large to process");
      return rightModel(text);
    };
    await using gateway = await open();
    await quiet();
    byHost.a.vectorOf = undefined;
    expect(about(await gateway.post({ model: "m", input: "hello" }))).toEqual([200, "b", "m@8"]);
  });
});

test("agreement_min is per model: coarser numbers than by default may be accepted", async () => {
  const coarse = (text: string) => rightModel(text).map((value, i) => value + (i === 0 ? 0.4 : 0));
  for (const [yaml, status] of [
    [TWO, 503],
    [TWO.replace("price: 1", "price: 1, agreement_min: 0.3"), 200],
  ] as const) {
    const { open, byHost, quiet } = vendors(yaml);
    byHost.b.vectorOf = coarse;
    await using gateway = await open();
    await quiet();
    byHost.a.vectorOf = undefined;
    expect((await gateway.post({ model: "m", input: "hello" })).status).toBe(status);
  }
});
