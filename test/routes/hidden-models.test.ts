/**
 * A model that a workspace may not use does not exist for it: no answer of any path reveals whether a forbidden model or provider
 * exists. A further kind of request is a row of ASKING.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type OpenGateway, openGateway, type Sent } from "../gateway";

const YAML = `
providers:
  fake: { plugin: fake }
  secret-vendor: { plugin: fake }
  spare: { plugin: fake }
  unset: { plugin: openai, api_key: "\${UNSET_KEY}" }
auth: { mode: keys }
models:
  fake-8: { routes: [ { provider: fake } ] }
  docs: { alias_of: fake-8 }
  merger-2027: { routes: [ { provider: secret-vendor, model: fake-16 } ], reply_names: [ merger-reply ] }
  merger-alias: { alias_of: merger-2027 }
  merger-chat: { embeddings: false }
  merger-old: { routes: [ { provider: unset } ] }
  "merger/chat-*": { embeddings: false }
  "merger/*": { routes: [ { provider: secret-vendor, model: fake-16 } ] }
  open-chat: { embeddings: false }
  open-chat-alias: { alias_of: open-chat }
  "open/*": { routes: [ { provider: fake, model: "*" } ] }
  "open/special-*": { routes: [ { provider: secret-vendor, model: fake-16 } ] }
`;

/** Forbidden models, each with a similar name that does not exist. */
const PAIRS: readonly (readonly [forbidden: string, absent: string])[] = [
  ["merger-2027", "merger-2028"],
  ["merger-reply", "merger-repli"],
  ["merger-alias", "merger-aliaz"],
  ["merger-chat", "merger-chot"],
  ["merger-old", "merger-oldd"],
  ["merger/any", "nobody/any"],
  ["merger/chat-4", "nobody/chat-4"],
];

let open: OpenGateway;
let authorization: string;
beforeAll(async () => {
  open = await openGateway({ yaml: YAML });
  const { keys, workspaces } = open.gateway;
  await workspaces.create("acme", { models: ["docs", "open-chat", "open/s*", "open/a*"] }, undefined);
  const { key } = await keys.create("k", "acme");
  authorization = `Bearer ${key}`;
});
afterAll(() => open[Symbol.asyncDispose]());

const post = (path: string, body: unknown, headers: Readonly<Record<string, string>> = {}) =>
  open.send(path, {
    method: "POST",
    headers: { authorization, "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

const ASKING: Readonly<Record<string, (model: string) => Promise<Sent>>> = {
  "POST /v1/embeddings": (model) => post("/v1/embeddings", { model, input: "a" }),
  "POST /v1/embeddings, by the one provider that serves it": (model) =>
    post("/v1/embeddings", { model, input: "a" }, { "x-embedgate-provider": "secret-vendor" }),
  "POST /v1/gemini/embeddings": (model) =>
    post("/v1/gemini/embeddings", { model, content: { parts: [{ text: "a" }] } }),
  "POST /v1/aws-bedrock/embeddings": (model) => post("/v1/aws-bedrock/embeddings", { model, inputText: "a" }),
  "GET /v1/models/{id}": (model) =>
    open.send(`/v1/models/${encodeURIComponent(model)}`, { headers: { authorization } }),
};

/** Everything that the caller sees, without its own words and what differs between any two answers. */
function seen({ status, headers, text }: Sent, model: string) {
  const told = [...headers].filter(([name]) => name !== "x-request-id" && name !== "openai-processing-ms");
  return { status, headers: told, text: text.replaceAll(model, "MODEL") };
}

describe.each(Object.entries(ASKING))("%s", (_, ask) => {
  test.each(PAIRS)("answers %s and %s alike", async (forbidden, absent) => {
    const answer = seen(await ask(forbidden), forbidden);
    expect(answer).toEqual(seen(await ask(absent), absent));
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect(answer.text).not.toContain("merger");
    expect(answer.text).not.toContain("chat");
  });
});

describe("did you mean", () => {
  const messageFor = async (model: string) => {
    const sent = await post("/v1/embeddings", { model, input: "a" });
    expect(sent.status).toBe(404);
    return sent.text;
  };

  test("suggests what the caller may use, by its own name or the one behind it", async () => {
    expect(await messageFor("doc")).toContain("Did you mean `docs`?");
    // The model behind `docs` is not allowed by name; only `docs` is.
    expect(await messageFor("fake-9")).not.toContain("Did you mean");
  });

  test("does not suggest a forbidden name, and suggests the next allowed one", async () => {
    for (const near of ["merger-202", "merger-chart", "merger-2027x"])
      expect(await messageFor(near)).not.toContain("merger-2027`?");
  });

  test("suggests no pattern: nobody can request one", async () => {
    expect(await messageFor("open/")).not.toContain("*");
  });

  test("by GET /v1/models/{id} too", async () => {
    const sent = await open.send("/v1/models/doc", { headers: { authorization } });
    expect(sent.text).toContain("Did you mean `docs`?");
  });
});

describe("a provider in a header", () => {
  const by = (provider: string, model = "docs") =>
    post("/v1/embeddings", { model, input: "a" }, { "x-embedgate-provider": provider });

  test("that serves nothing for the caller is answered like one that does not exist", async () => {
    for (const forbidden of ["unset", "spare"]) {
      const answer = seen(await by(forbidden), forbidden);
      expect(answer).toEqual(seen(await by("nobody"), "nobody"));
      expect(answer).toMatchObject({ status: 400 });
    }
  });

  test("that serves another of the caller's models gets its own error", async () => {
    // open/special-* is part of open/s*, which the workspace may use.
    expect((await by("secret-vendor")).json).toMatchObject({ error: { code: "provider_without_model" } });
    expect((await by("secret-vendor", "open/special-1")).status).toBe(200);
    expect((await by("fake")).status).toBe(200);
  });
});

test("if providers' names are hidden, a name cannot be guessed: existing and unknown names get the same answer", async () => {
  await using hiding = await openGateway({ yaml: `${YAML}server: { policies: { provider_names: hide } }\n` });
  const { key } = await hiding.gateway.keys.create("k", "default");
  const by = (provider: string) =>
    hiding.send("/v1/embeddings", {
      method: "POST",
      headers: {
        authorization: `Bearer ${key}`,
        "content-type": "application/json",
        "x-embedgate-provider": provider,
      },
      body: JSON.stringify({ model: "docs", input: "a" }),
    });
  const answer = seen(await by("secret-vendor"), "secret-vendor");
  expect(answer).toEqual(seen(await by("nobody"), "nobody"));
  expect(answer).toMatchObject({ status: 400 });
});

describe("a workspace that may use it", () => {
  test("learns that a model does not support embeddings, by its own name or another", async () => {
    const { keys, workspaces } = open.gateway;
    await workspaces.create("other", { models: ["open-chat*"] }, undefined);
    const { key } = await keys.create("o", "other");
    for (const model of ["open-chat", "open-chat-alias"]) {
      const sent = await post("/v1/embeddings", { model, input: "a" }, { authorization: `Bearer ${key}` });
      expect(sent.json).toMatchObject({ error: { code: "embeddings_unsupported" } });
    }
  });
});
