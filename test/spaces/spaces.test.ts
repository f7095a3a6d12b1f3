/**
 * Embedding spaces as callers and operators see them: which routes serve, what stops, what is reported, and what it costs.
 * verdict.test.ts has the comparison of two measurements.
 */
import { describe, expect, test } from "bun:test";
import {
  isProbe,
  LONE,
  LONG_TEXT,
  lastingYaml,
  otherModel,
  rightModel,
  SHORT_TEXTS,
  TWO,
  vendors,
} from "./vendors";

const firstVector = ({ json }: { readonly json: unknown }): number[] => [
  ...Float32Array.from(Object(json).data[0].embedding),
];

describe("a model with several ways", () => {
  test("has both measured at the start: the first one's measurement is the fingerprint", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    await using gateway = await open();
    await quiet();
    expect(byHost.a.asked).toEqual([SHORT_TEXTS, [LONG_TEXT]]);
    expect(byHost.b.asked).toEqual([SHORT_TEXTS, [LONG_TEXT]]);
    expect(gateway.gateway.spaces().notices()).toEqual([]);
  });

  test("falls back to the second once it was measured", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    await using gateway = await open();
    await quiet();
    byHost.a.vectorOf = undefined;
    const sent = await gateway.post({ model: "m", input: "hello" });
    expect(sent.status).toBe(200);
    expect(sent.headers.get("x-embedgate-provider")).toBe("b");
    expect(firstVector(sent)).toEqual([...rightModel("hello")]);
  });

  test("compares the second with what an earlier life knew about the space", async () => {
    const first = vendors(TWO);
    await using before = await first.open();
    const yaml = lastingYaml(TWO, before);
    const { open, byHost, quiet } = vendors(yaml);
    {
      await using _known = await open();
      await quiet();
    }
    byHost.a.vectorOf = undefined;
    await using again = await open();
    await quiet();
    const sent = await again.post({ model: "m", input: "hello" });
    expect([sent.status, sent.headers.get("x-embedgate-provider")]).toEqual([200, "b"]);
  });

  test("is not measured again by a reload that does not change it, and is by one that does", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    await using gateway = await open();
    await quiet();
    const counts = () => [byHost.a.asked.length, byHost.b.asked.length];
    const measured = counts();
    const { gateway: running } = gateway;
    running.reload(running.config());
    await quiet();
    expect(counts()).toEqual(measured);
    byHost.a.vectorOf = undefined;
    expect((await gateway.post({ model: "m", input: "hello" })).headers.get("x-embedgate-provider")).toBe(
      "b",
    );
    byHost.a.vectorOf = rightModel;
    const before = counts();
    const config = running.config();
    const models = new Map([...config.models].map(([id, model]) => [id, { ...model, agreement_min: 0.5 }]));
    running.reload({ ...config, models });
    await quiet();
    expect(counts()).toEqual(before.map((count) => count + 2));
  });

  test("never returns the second's vectors if they differ, and logs an error", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    byHost.b.vectorOf = otherModel;
    await using gateway = await open();
    await quiet();
    byHost.a.vectorOf = undefined;
    const sent = await gateway.post({ model: "m", input: "hello" });
    expect(sent.status).toBe(503);
    expect(byHost.b.asked.every(isProbe)).toBe(true);
    expect(gateway.gateway.spaces().notices()).toMatchObject([
      { space: "m", provider: "b", model: "m", out_of_service: true },
    ]);
    const told = await gateway.send("/admin/notices");
    expect(told.json).toMatchObject({ notices: [{ space: "m", provider: "b", out_of_service: true }] });
    expect(gateway.logs).toContainEqual(
      expect.objectContaining({
        level: "error",
        message: "a route's vectors differ from its embedding space",
      }),
    );
  });

  test.each([
    ["the second does not normalise", [1, 5.49]],
    ["the first does not", [5.49, 1]],
  ])("never gives vectors of two lengths as one space: %s", async (_, [first = 1, second = 1]) => {
    const times = (factor: number) => (text: string) => rightModel(text).map((value) => value * factor);
    for (const more of ["", ", normalized: false", ", normalized: true"]) {
      const { open, byHost, quiet } = vendors(TWO.replace("price: 1", `price: 1${more}`));
      byHost.a.vectorOf = times(first);
      byHost.b.vectorOf = times(second);
      await using gateway = await open();
      await quiet();
      byHost.a.vectorOf = undefined;
      const sent = await gateway.post({ model: "m", input: "hello" });
      // If the gateway normalises them, they are equal.
      const isMended = more.includes("true");
      expect([more, sent.status]).toEqual([more, isMended ? 200 : 503]);
      const notices = gateway.gateway.spaces().notices();
      if (isMended) expect(notices).toEqual([]);
      else {
        expect(notices).toMatchObject([{ space: "m", provider: "b", out_of_service: true }]);
        expect(notices[0]?.message).toContain("normalized: true");
      }
    }
  });

  test("calls the second for a request that forces it, even at once: the request waits for the measurement, and a stranger serves nobody", async () => {
    const insisting = { "x-embedgate-provider": "b" };
    const { open, quiet } = vendors(TWO);
    await using gateway = await open();
    const sent = await gateway.post({ model: "m", input: "hello" }, insisting);
    expect([sent.status, sent.headers.get("x-embedgate-provider")]).toEqual([200, "b"]);
    await quiet();
    const strange = vendors(TWO);
    strange.byHost.b.vectorOf = otherModel;
    await using other = await strange.open();
    expect((await other.post({ model: "m", input: "hello" }, insisting)).status).toBe(503);
    const unmeasured = vendors(`${TWO}\nspace_probe: false\n`);
    await using trusting = await unmeasured.open();
    expect((await trusting.post({ model: "m", input: "hello" }, insisting)).status).toBe(200);
  });

  test("reports in the routes' states that the second was changed, not that it never fitted", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    let now = 0;
    await using gateway = await open({ outside: { monotonic: () => now } });
    await quiet();
    byHost.b.vectorOf = otherModel;
    now += 3_600_000;
    await gateway.post({ model: "m", input: "hello" });
    await quiet();
    const told = await gateway.send("/admin/routes");
    expect(told.json).toMatchObject({
      routes: [
        { provider: "a", state: "serving", held_back_because: null },
        {
          provider: "b",
          state: "held_back",
          held_back_because: expect.stringContaining(
            "agreed before, so the provider changed the model behind the name",
          ),
        },
      ],
    });
  });

  test("uses only its first route without measurements", async () => {
    const { open, byHost, quiet } = vendors(`${TWO}\nspace_probe: false\n`);
    await using gateway = await open();
    await quiet();
    byHost.a.vectorOf = undefined;
    expect((await gateway.post({ model: "m", input: "hello" })).status).toBe(503);
    expect(byHost.b.asked).toEqual([]);
  });
});

describe("a model with one route", () => {
  test("is measured after its first answer, and not again until it is due", async () => {
    const { open, byHost, quiet } = vendors(LONE);
    let now = 0;
    await using gateway = await open({ outside: { monotonic: () => now } });
    await quiet();
    expect(byHost.a.asked).toEqual([]);
    for (const input of ["one", "two"]) {
      await gateway.post({ model: "m", input });
      await quiet();
    }
    expect(byHost.a.asked).toEqual([["one"], SHORT_TEXTS, [LONG_TEXT], ["two"]]);
    now += 3_600_000;
    await gateway.post({ model: "m", input: "three" });
    await quiet();
    expect(byHost.a.asked.slice(4)).toContainEqual(SHORT_TEXTS);
    expect(byHost.a.asked).toHaveLength(7);
  });

  test.each([
    ["stop", 503],
    ["warn", 200],
  ])("that was changed behind its name while the gateway was away: on_drift %s", async (policy, status) => {
    const first = vendors(LONE);
    await using before = await first.open();
    const yaml = lastingYaml(LONE.replace("price: 1", `price: 1, on_drift: ${policy}`), before);
    const { open, byHost, quiet } = vendors(yaml);
    {
      await using known = await open();
      await known.post({ model: "m", input: "hello" });
      await quiet();
    }
    byHost.a.vectorOf = otherModel;
    await using again = await open();
    // All of them wait for the first check: none is answered by the changed model unnoticed.
    const sent = await Promise.all(["one", "two", "three"].map((input) => again.post({ model: "m", input })));
    expect(sent.map((one) => one.status)).toEqual([status, status, status]);
    expect(again.gateway.spaces().notices()).toMatchObject([{ out_of_service: policy === "stop" }]);
    if (policy === "stop") {
      expect(Object(sent[0]?.json).error.code).toBe("space_out_of_service");
      expect(byHost.a.asked.slice(2).every(isProbe)).toBe(true);
    }
  });

  test("is served again after its fingerprint was forgotten, and no older vector comes from the cache", async () => {
    const first = vendors(LONE);
    await using before = await first.open();
    const { open, byHost, quiet } = vendors(`${lastingYaml(LONE, before)}\ncache: { memory_mb: 8 }\n`);
    let now = 0;
    await using gateway = await open({
      outside: { monotonic: () => now, now: () => 1_790_000_000_000 + now },
    });
    await gateway.post({ model: "m", input: "hello" });
    await quiet();
    // A vector's cache key contains the fingerprint, so this one is found from now on.
    await gateway.post({ model: "m", input: "hello" });
    const hit = await gateway.post({ model: "m", input: "hello" });
    expect(hit.headers.get("x-embedgate-cache")).toBe("hit=1, miss=0");
    byHost.a.vectorOf = otherModel;
    now += 3_600_000;
    await gateway.post({ model: "m", input: "due" });
    await quiet();
    expect((await gateway.post({ model: "m", input: "other" })).status).toBe(503);
    const stores = await before.lasting().beside();
    expect(await stores.forgetSpace("m")).toBe(true);
    now += 600_000;
    await gateway.post({ model: "m", input: "other" });
    await quiet();
    const sent = await gateway.post({ model: "m", input: "hello" });
    expect([sent.status, sent.headers.get("x-embedgate-cache")]).toEqual([200, "hit=0, miss=1"]);
    expect(firstVector(sent)).toEqual([...otherModel("hello")]);
  });

  test("a single fluke of the provider stops nothing: it is measured twice", async () => {
    const first = vendors(LONE);
    await using before = await first.open();
    const { open, byHost, quiet } = vendors(lastingYaml(LONE, before));
    {
      await using known = await open();
      await known.post({ model: "m", input: "hello" });
      await quiet();
    }
    let probes = 0;
    byHost.a.vectorOf = (text) => {
      if (isProbe([text])) probes += 1;
      return probes > 0 && probes <= SHORT_TEXTS.length ? otherModel(text) : rightModel(text);
    };
    await using again = await open();
    expect((await again.post({ model: "m", input: "hello" })).status).toBe(200);
    expect(again.gateway.spaces().notices()).toEqual([]);
  });

  test("a route out of service is measured once each time, until it agrees", async () => {
    const { open, byHost, quiet } = vendors(TWO);
    byHost.b.vectorOf = otherModel;
    let now = 0;
    await using gateway = await open({ outside: { monotonic: () => now } });
    await quiet();
    const measuredIn = async () => {
      now += 31_000;
      const before = byHost.b.asked.filter(isProbe).length;
      await gateway.post({ model: "m", input: `at ${now}` });
      await quiet();
      return byHost.b.asked.filter(isProbe).length - before;
    };
    // Two calls per measurement: the short texts and the long one.
    expect([await measuredIn(), await measuredIn()]).toEqual([2, 2]);
    byHost.b.vectorOf = rightModel;
    await measuredIn();
    expect(gateway.gateway.spaces().notices()).toEqual([]);
  });

  test("one that cannot be measured is served, logged and measured later", async () => {
    const first = vendors(LONE);
    await using before = await first.open();
    const { open, byHost, quiet } = vendors(lastingYaml(LONE, before));
    {
      await using known = await open();
      await known.post({ model: "m", input: "hello" });
      await quiet();
    }
    byHost.a.vectorOf = undefined;
    let now = 0;
    await using again = await open({ outside: { monotonic: () => now } });
    await again.post({ model: "m", input: "hello" });
    byHost.a.vectorOf = rightModel;
    const asked = byHost.a.asked.length;
    expect((await again.post({ model: "m", input: "hello" })).status).toBe(200);
    expect(byHost.a.asked.slice(asked)).toEqual([["hello"]]);
    now += 60_000;
    await again.post({ model: "m", input: "hello" });
    await quiet();
    expect(byHost.a.asked.slice(asked + 1)).toContainEqual(SHORT_TEXTS);
    expect(again.logs).toContainEqual(
      expect.objectContaining({ message: "an embedding space could not be measured" }),
    );
  });
});

test("a measurement is in the ledger under the gateway's own name, and not as a client's request", async () => {
  const { open, quiet } = vendors(LONE);
  await using gateway = await open();
  await gateway.post({ model: "m", input: "hello" });
  await quiet();
  const byWorkspace = await gateway.gateway.ledger.usage(0, "workspace");
  expect(byWorkspace).toMatchObject([
    { group: "default", requests: 1n, tokens: 1n, tokens_upstream: 1n },
    { group: "embedgate", requests: 0n, tokens: 0n, tokens_upstream: 28n, cost_pico_usd: 0n },
  ]);
  expect(await gateway.gateway.ledger.usage(0, "model")).toMatchObject([
    { group: "m", requests: 1n, inputs: 1n, tokens: 1n, tokens_upstream: 29n },
  ]);
});

describe("a pinned space", () => {
  test.each(["m", "m@8"])("%s is the answer's own", async (pinned) => {
    const { open } = vendors(LONE);
    await using gateway = await open();
    const sent = await gateway.post({ model: "m", input: "hello" }, { "x-embedgate-space": pinned });
    expect([sent.status, sent.headers.get("x-embedding-space")]).toEqual([200, "m@8"]);
  });

  test.each(["other", "m@4", "m@", "M"])("%s is another: 409, and no provider is called", async (pinned) => {
    const { open, byHost } = vendors(LONE);
    await using gateway = await open();
    const sent = await gateway.post({ model: "m", input: "hello" }, { "x-embedgate-space": pinned });
    expect(sent.status).toBe(409);
    expect(Object(sent.json).error).toMatchObject({
      code: "space_mismatch",
      param: "X-Embedgate-Space",
      type: "invalid_request_error",
    });
    expect(byHost.a.asked).toEqual([]);
  });
});
