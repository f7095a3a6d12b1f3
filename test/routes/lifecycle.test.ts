/**
 * Models near and past their end of life: they are served anyway, and the log, a header and the list say so.
 * The days come from the catalogue or the routing file; the clock is the test's.
 */
import { describe, expect, test } from "bun:test";
import { stageOf } from "../../src/routes/lifecycle";
import { openGateway } from "../gateway";
import { GEMINI_KEY, geminiVendor } from "../plugins/vendors/gemini";

const DAY_MS = 86_400_000;
const at = (day: string) => Date.parse(`${day}T00:00:00Z`);

describe("a model's stage", () => {
  test.each([
    ["2026-01-13", "2026-01-14", "ending"],
    ["2026-01-14", "2026-01-14", "ended"],
    ["2030-01-01", "2026-01-14", "ended"],
    ["2025-07-18", "2026-01-14", "ending"],
    ["2025-07-17", "2026-01-14", "active"],
    ["2026-01-14", undefined, "active"],
  ] as const)("on %s, with its end on %s, is %s", (day, end_of_life, stage) => {
    expect(stageOf(end_of_life === undefined ? {} : { end_of_life }, at(day))).toBe(stage);
  });
});

const YAML = `
providers:
  fake: { plugin: fake }
  google: { plugin: gemini, api_key: ${GEMINI_KEY} }
space_probe: false
models:
  old: { routes: [ { provider: fake, model: fake } ], end_of_life: 2026-06-01 }
  other: { routes: [ { provider: fake, model: fake } ], end_of_life: "2029-01-01" }
  google/text-embedding-004: { routes: [ { provider: google } ] }
`;
const HEADER = "x-embedgate-model-end-of-life";

async function openOn(day: string) {
  let now = at(day);
  const gateway = await openGateway({
    yaml: YAML,
    outside: { now: () => now, fetch: geminiVendor("text-embedding-004").fetch },
  });
  const told = () => gateway.logs.filter(({ message }) => message.includes("end of life"));
  return {
    gateway,
    told,
    pass(ms: number) {
      now += ms;
    },
    [Symbol.asyncDispose]: () => gateway[Symbol.asyncDispose](),
  };
}

describe("through the gateway", () => {
  // It is served anyway; the log says so once a day, and each answer in a header.
  test("pain 28: an ended model is reported", async () => {
    await using open = await openOn("2026-06-02");
    for (let i = 0; i < 3; i++) {
      const sent = await open.gateway.post({ model: "old", input: `text ${i}` });
      expect([sent.status, sent.headers.get(HEADER)]).toEqual([200, "2026-06-01"]);
    }
    expect(open.told()).toHaveLength(1);
    expect(open.told()[0]).toMatchObject({
      level: "warn",
      about: { model: "old", provider: "fake", end_of_life: "2026-06-01" },
    });
    open.pass(DAY_MS);
    await open.gateway.post({ model: "old", input: "the next day" });
    expect(open.told()).toHaveLength(2);
    expect(open.told().every(({ message }) => message.includes("past"))).toBe(true);
  });

  test("a model whose end is near is reported, and one whose end is far off is not", async () => {
    await using open = await openOn("2026-03-01");
    const near = await open.gateway.post({ model: "old", input: "a" });
    const far = await open.gateway.post({ model: "other", input: "a" });
    expect([near.headers.get(HEADER), far.headers.get(HEADER)]).toEqual(["2026-06-01", null]);
    expect(open.told().map(({ message }) => message.includes("is near"))).toEqual([true]);
  });

  test("the list has each model's stage and day", async () => {
    await using open = await openOn("2026-03-01");
    const { json } = await open.gateway.send("/v1/models");
    expect(Object(json).data).toMatchObject([
      { id: "old", lifecycle: "ending", end_of_life: "2026-06-01" },
      { id: "other", lifecycle: "active", end_of_life: "2029-01-01" },
      { id: "google/text-embedding-004", lifecycle: "ended", end_of_life: "2026-01-14" },
    ]);
  });

  test("a model that the catalogue lists as ended is still called, and a provider that has it serves it", async () => {
    await using open = await openOn("2026-11-01");
    const sent = await open.gateway.post({ model: "google/text-embedding-004", input: "a" });
    expect([sent.status, sent.headers.get(HEADER)]).toEqual([200, "2026-01-14"]);
  });
});
