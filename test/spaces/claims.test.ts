/**
 * Several models that claim one space: those that differ get spaces of their own, by name, and neither stops the other.
 */
import { expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { PROBES } from "../../src/domain/probes";
import { insideFingerprints } from "../../src/spaces/inside";
import { isProbe, lastingYaml, otherModel, rightModel, vendors } from "./vendors";

const ONE_NAME = `
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0 }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0 }
models:
  one: { routes: [ { provider: a, model: m } ], dimensions: 8, price: 1 }
  two: { routes: [ { provider: b, model: m } ], dimensions: 8, price: 1 }
`;

const spaceOf = ({ headers }: { readonly headers: Headers }) => headers.get("x-embedding-space");

test("it is one space if both agree", async () => {
  const { open } = vendors(ONE_NAME);
  await using gateway = await open();
  expect(spaceOf(await gateway.post({ model: "two", input: "hello" }))).toBe("m@8");
  expect(spaceOf(await gateway.post({ model: "one", input: "hello" }))).toBe("m@8");
  expect(gateway.gateway.spaces().notices()).toEqual([]);
});

test("the later one has its own name from its first answer on, before and after a restart; both serve, and pins with the old name are refused", async () => {
  const first = vendors(ONE_NAME);
  await using before = await first.open();
  const yaml = lastingYaml(ONE_NAME, before);
  const { open, byHost, quiet } = vendors(yaml);
  byHost.b.vectorOf = otherModel;
  for (const _life of ["this", "the next"]) {
    await using gateway = await open();
    const sent = await Promise.all(["two", "one"].map((model) => gateway.post({ model, input: "hello" })));
    expect(sent.map((one) => [one.status, spaceOf(one)])).toEqual([
      [200, "m@b@8"],
      [200, "m@8"],
    ]);
    const pinned = (pin: string) => gateway.post({ model: "two", input: "x" }, { "x-embedgate-space": pin });
    expect((await pinned("m")).status).toBe(409);
    expect((await pinned("m@8")).status).toBe(409);
    expect((await pinned("m@b")).status).toBe(200);
    await quiet();
    expect(gateway.gateway.spaces().notices()).toMatchObject([
      { space: "m@b", provider: "b", out_of_service: false, message: expect.stringContaining("claims") },
    ]);
    const { json } = await gateway.send("/v1/models");
    expect(Object(json).data).toMatchObject([
      { id: "one", embedding_space: "m" },
      { id: "two", embedding_space: "m@b" },
    ]);
    expect(JSON.stringify(gateway.logs)).not.toContain("spaces forget");
  }
});

test("a model that drifts is stopped, not renamed: the space is its own", async () => {
  const first = vendors(ONE_NAME);
  await using before = await first.open();
  const yaml = lastingYaml(ONE_NAME, before);
  const { open, byHost, quiet } = vendors(yaml);
  {
    await using _known = await open();
    await quiet();
  }
  byHost.a.vectorOf = otherModel;
  await using gateway = await open();
  expect((await gateway.post({ model: "one", input: "hello" })).status).toBe(503);
  expect((await gateway.post({ model: "two", input: "hello" })).status).toBe(200);
  await quiet();
  expect(gateway.gateway.spaces().notices()).toMatchObject([
    { space: "m", provider: "a", out_of_service: true, message: expect.stringContaining("spaces forget m") },
  ]);
});

const MINILM = `
providers: { a: { plugin: openai, base_url: "http://a/v1", retries: 0 } }
models: { mine: { routes: [ { provider: a, model: all-MiniLM-L6-v2 } ] } }
`;

test("a route with the built-in model's name is measured against that model before its first answer", async () => {
  const [inside] = insideFingerprints();
  const right = new Map(PROBES.map(({ text }, i) => [text, inside?.vectors[i]]));
  const { open, byHost } = vendors(MINILM);
  byHost.a.vectorOf = (text) => right.get(text) ?? exactVector(text, 384);
  {
    await using gateway = await open();
    expect(spaceOf(await gateway.post({ model: "mine", input: "hello" }))).toBe("all-MiniLM-L6-v2@384");
  }
  byHost.a.vectorOf = (text) => exactVector(text, 384);
  await using gateway = await open();
  expect(spaceOf(await gateway.post({ model: "mine", input: "hello" }))).toBe("all-MiniLM-L6-v2@a@384");
  expect(gateway.gateway.spaces().notices()).toMatchObject([
    { provider: "a", out_of_service: false, message: expect.stringContaining("another model") },
  ]);
});

test("a model of two routes that both differ from the built-in model is its own space, and its routes confirm each other", async () => {
  const { open, byHost, quiet } = vendors(`
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0 }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0 }
models: { mine: { routes: [ { provider: a, model: all-MiniLM-L6-v2 }, { provider: b, model: all-MiniLM-L6-v2 } ] } }
`);
  byHost.a.vectorOf = byHost.b.vectorOf = (text) => exactVector(text, 384);
  await using gateway = await open();
  await gateway.post({ model: "mine", input: "hello" });
  await quiet();
  await gateway.post({ model: "mine", input: "hello" });
  await quiet();
  byHost.a.vectorOf = undefined;
  const sent = await gateway.post({ model: "mine", input: "hello" });
  expect([sent.status, spaceOf(sent)]).toEqual([200, "all-MiniLM-L6-v2@a@384"]);
});

test("other dimensions are other models", async () => {
  const { open, byHost } = vendors(
    ONE_NAME.replace("model: m } ], dimensions: 8, price: 1 }\n", "model: m } ] }\n"),
  );
  byHost.a.vectorOf = rightModel;
  byHost.b.vectorOf = (text) => exactVector(text, 16);
  await using gateway = await open();
  expect(spaceOf(await gateway.post({ model: "one", input: "hello" }))).toBe("m@8");
});

test("the built-in model and a server of the same model are one model: each confirms the other, and weights distribute requests", async () => {
  const [inside] = insideFingerprints();
  const right = new Map(PROBES.map(({ text }, i) => [text, inside?.vectors[i]]));
  const yaml = (weight: string) => `
providers: { a: { plugin: openai, base_url: "http://a/v1", retries: 0 }, local: { plugin: local, workers: 1 } }
models:
  mine:
    routes:
      - { provider: a, model: all-MiniLM-L6-v2${weight} }
      - { provider: local, model: all-MiniLM-L6-v2${weight} }
`;
  const insisting = { "x-embedgate-provider": "local" };
  {
    const { open, byHost } = vendors(yaml(""));
    byHost.a.vectorOf = (text) => right.get(text) ?? exactVector(text, 384);
    await using gateway = await open();
    expect((await gateway.post({ model: "mine", input: "hello" }, insisting)).status).toBe(200);
    byHost.a.vectorOf = undefined;
    const sent = await gateway.post({ model: "mine", input: "hello" });
    expect([sent.headers.get("x-embedgate-provider"), spaceOf(sent)]).toEqual([
      "local",
      "all-MiniLM-L6-v2@384",
    ]);
  }
  const { open, byHost } = vendors(yaml(", weight: 1"));
  byHost.a.vectorOf = (text) => right.get(text) ?? exactVector(text, 384);
  let draws = 0;
  await using gateway = await open({ outside: { random: () => (draws++ % 2) / 2 } });
  await gateway.post({ model: "mine", input: "hello" }, insisting);
  const by = new Set<string | null>();
  for (let i = 0; i < 8; i++)
    by.add((await gateway.post({ model: "mine", input: `hello ${i}` })).headers.get("x-embedgate-provider"));
  expect(by).toEqual(new Set(["a", "local"]));
});

test("one that cannot be measured is marked as unverified; after a restart it keeps the name from its measurement", async () => {
  const first = vendors(MINILM);
  await using before = await first.open();
  const { open, byHost, quiet } = vendors(lastingYaml(MINILM, before));
  const unprobed = (text: string) => {
    if (isProbe([text])) throw new Error("not now");
    return exactVector(text, 384);
  };
  byHost.a.vectorOf = unprobed;
  {
    await using gateway = await open();
    const sent = await gateway.post({ model: "mine", input: "hello" });
    expect(spaceOf(sent)).toBe("unverified:all-MiniLM-L6-v2@384");
  }
  byHost.a.vectorOf = (text) => exactVector(text, 384);
  {
    await using gateway = await open();
    await gateway.post({ model: "mine", input: "hello" });
    await quiet();
  }
  byHost.a.vectorOf = unprobed;
  await using gateway = await open();
  expect(spaceOf(await gateway.post({ model: "mine", input: "hello" }))).toBe("all-MiniLM-L6-v2@a@384");
});

test("three models of one claimed space that all differ are three spaces, even if two of them are one provider's", async () => {
  const yaml = ONE_NAME.replace(
    "  two: {",
    "  three: { space: m, routes: [ { provider: b, model: m3 } ], dimensions: 8, price: 1 }\n  two: {",
  );
  const { open, byHost, quiet } = vendors(yaml);
  byHost.b.vectorOf = (text, model) => exactVector(`${model} ${text}`, 8);
  await using gateway = await open();
  await quiet();
  const spaces = new Set<string | null>();
  for (const model of ["one", "two", "three"]) {
    const sent = await gateway.post({ model, input: "hello" });
    expect(sent.status).toBe(200);
    spaces.add(spaceOf(sent));
  }
  expect(spaces).toEqual(new Set(["m@8", "m@b@8", expect.stringMatching(/^m@b\/m3?@8$/)]));
});
