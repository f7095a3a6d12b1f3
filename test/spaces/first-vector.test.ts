/**
 * A model that is not known to be normalised, behind an address with two servers whose vectors have different lengths (llama-cpp-python 0.3.36:
 * 5.49, others: 1). The probe texts show it before the first vector is returned, also in a process that has not measured the space itself.
 */
import { expect, test } from "bun:test";
import { isProbe, LONE, lastingYaml, rightModel, SHORT_TEXTS, vendors } from "./vendors";

const UNKNOWN = LONE.replace(", normalized: true", "");
const longer = (text: string) => rightModel(text).map((value) => value * 5.49);

test("mixed lengths of the probe texts: not one vector leaves", async () => {
  const { open, byHost } = vendors(UNKNOWN);
  byHost.a.vectorOf = (text) => (text.length % 2 === 0 ? rightModel(text) : longer(text));
  await using gateway = await open();
  const sent = await Promise.all(
    ["one", "four", "three"].map((input) => gateway.post({ model: "m", input })),
  );
  expect(sent.map(({ status }) => status)).toEqual([502, 502, 502]);
  expect(Object(sent[0]?.json).error.message).toContain("normalized: true");
  expect(isProbe(byHost.a.asked[0] ?? [])).toBe(true);
});

test("probe texts of unit length, then a first vector that is longer: refused", async () => {
  const { open, byHost } = vendors(UNKNOWN);
  byHost.a.vectorOf = (text) => (isProbe([text]) ? rightModel(text) : longer(text));
  await using gateway = await open();
  expect((await gateway.post({ model: "m", input: "one" })).status).toBe(502);
});

test("vectors of one sort are passed on, after the probe", async () => {
  for (const vectorOf of [rightModel, longer]) {
    const { open, byHost } = vendors(UNKNOWN);
    byHost.a.vectorOf = vectorOf;
    await using gateway = await open();
    expect((await gateway.post({ model: "m", input: "one" })).status).toBe(200);
    expect(byHost.a.asked.map((texts) => texts.length)).toEqual([SHORT_TEXTS.length, 1, 1]);
  }
});

test("whose lengths the routing file knows, the first request does not wait", async () => {
  for (const normalized of [true, false]) {
    const { open, byHost } = vendors(LONE.replace("normalized: true", `normalized: ${normalized}`));
    await using gateway = await open();
    expect((await gateway.post({ model: "m", input: "one" })).status).toBe(200);
    expect(byHost.a.asked[0]).toEqual(["one"]);
  }
});

test("a process that finds the space measured knows the lengths without a measurement of its own", async () => {
  const first = vendors(UNKNOWN);
  await using before = await first.open();
  const yaml = lastingYaml(UNKNOWN, before);
  {
    const { open, quiet } = vendors(yaml);
    await using measured = await open();
    expect((await measured.post({ model: "m", input: "one" })).status).toBe(200);
    await quiet();
  }
  const { open, byHost } = vendors(yaml);
  // This time the probe fails.
  byHost.a.vectorOf = (text) => {
    if (isProbe([text])) throw new Error("not now");
    return longer(text);
  };
  await using again = await open();
  expect((await again.post({ model: "m", input: "two" })).status).not.toBe(200);
});
