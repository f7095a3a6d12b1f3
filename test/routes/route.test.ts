/**
 * From a model id to its route: own ids, aliases, patterns, the names in answers, and unknown ids.
 */
import { describe, expect, test } from "bun:test";
import { openGateway } from "../gateway";

const YAML = `
providers:
  fake: { plugin: fake }
  other: { plugin: openai, api_key: "\${UNSET_KEY}" }
  wire: { plugin: openai, base_url: "http://127.0.0.1:9/v1" }
models:
  known: { routes: [ { provider: fake, model: fake-8 } ], reply_names: [ known-v2 ] }
  alias: { alias_of: second-alias }
  second-alias: { alias_of: known }
  behind-pattern: { alias_of: fake/fake-24 }
  unconfigured: { routes: [ { provider: other, model: fake } ] }
  "fake/*": { routes: [ { provider: fake, model: "*" } ] }
  "fake/chat-*": { embeddings: false }
  "whole-*-name": { routes: [ { provider: fake } ] }
  "openai/text-embedding-3-small": { routes: [ { provider: wire } ] }
`;

const asked: readonly (readonly [string, string, number | undefined])[] = [
  ["known", "fake-8", 8],
  ["known-v2", "fake-8", 8],
  ["alias", "fake-8", 8],
  ["behind-pattern", "fake-24", 24],
  ["fake/fake-32", "fake-32", 32],
  ["whole-any-name", "whole-any-name", 16],
];

describe("an id", () => {
  test.each(asked)("%s leads to %s", async (id, model, dimensions) => {
    await using open = await openGateway({ yaml: YAML });
    const route = open.gateway.routes().resolve(id);
    expect([route.targets[0].model, route.facts.dimensions]).toEqual([model, dimensions]);
  });

  test("with several routes has one policy for long texts, one limit and one vocabulary, whichever serves", async () => {
    await using open = await openGateway({
      yaml: `
providers: { local: { plugin: local }, wire: { plugin: openai, base_url: "http://127.0.0.1:9/v1" } }
models:
  wire-first: { routes: [ { provider: wire, model: all-MiniLM-L6-v2 }, { provider: local, model: all-MiniLM-L6-v2 } ] }
  local-first: { routes: [ { provider: local, model: all-MiniLM-L6-v2 }, { provider: wire, model: all-MiniLM-L6-v2 } ] }
  said: { routes: [ { provider: local, model: all-MiniLM-L6-v2 }, { provider: wire, model: all-MiniLM-L6-v2 } ], long_input: truncate }
`,
    });
    const policies = (id: string) => {
      const { targets } = open.gateway.routes().resolve(id);
      return targets.map(({ facts }) => [facts.long_input, facts.max_input_tokens]);
    };
    expect(policies("wire-first")).toEqual(Array(2).fill(["reject", 254]));
    expect(policies("local-first")).toEqual(Array(2).fill(["average", 254]));
    expect(policies("said")).toEqual(Array(2).fill(["truncate", 254]));
  });

  test("with several routes leads to each by its group and weight, and says whether to hedge", async () => {
    await using open = await openGateway({
      yaml: `${YAML}
  several:
    space: one
    hedge_after_ms: 250
    routes:
      - { provider: fake, model: fake-8, weight: 3 }
      - { provider: wire, model: w, weight: 0 }
      - { provider: other, model: unset, weight: 1 }
      - { provider: fake, model: fake-16 }
      - { provider: wire, model: v }
`,
    });
    const { targets, hedgeAfterMs } = open.gateway.routes().resolve("several");
    expect(
      targets.map(({ provider, model, group, weight }) => [provider.name, model, group, weight]),
    ).toEqual([
      ["fake", "fake-8", 0, 3],
      ["wire", "w", 0, 0],
      ["fake", "fake-16", 1, 1],
      ["wire", "v", 2, 1],
    ]);
    expect(hedgeAfterMs).toBe(250);
    expect(open.gateway.routes().resolve("known").hedgeAfterMs).toBeUndefined();
  });

  test("has one health per provider for all ids that lead there, even if a pattern creates its route again", async () => {
    await using open = await openGateway({ yaml: YAML });
    const healthAt = (id: string) => {
      const [{ provider, model }] = open.gateway.routes().resolve(id).targets;
      return provider.healthOf(model);
    };
    expect(healthAt("fake/fake-32")).toBe(healthAt("fake/fake-32"));
    expect(healthAt("fake/fake-8")).toBe(healthAt("known"));
    expect(healthAt("fake/fake-8")).not.toBe(healthAt("fake/fake-32"));
  });

  test.each([["nobody"], ["whole-name"], ["*"], [""]])(
    "%j leads nowhere, however well a pattern would fit",
    async (id) => {
      await using open = await openGateway({
        yaml: `${YAML}  "*-pattern": { routes: [ { provider: fake } ] }\n`,
      });
      expect(() => open.gateway.routes().resolve(id)).toThrow("does not exist");
    },
  );

  test("whose providers are not configured gets 503, saying so", async () => {
    await using open = await openGateway({ yaml: YAML });
    expect(() => open.gateway.routes().resolve("unconfigured")).toThrow(
      expect.objectContaining({
        kind: "provider_not_configured",
        meaning: expect.objectContaining({ status: 503, code: "provider_not_configured" }),
      }),
    );
  });

  test("that has an entry does not match a pattern, even if its provider is not configured", async () => {
    await using open = await openGateway({ yaml: `${YAML}  "*": { routes: [ { provider: fake } ] }\n` });
    expect(() => open.gateway.routes().resolve("unconfigured")).toThrow(
      "none of its providers is configured",
    );
    expect(open.gateway.routes().resolve("anything").targets[0].model).toBe("anything");
  });

  test("of a pattern that cannot embed says so", async () => {
    await using open = await openGateway({ yaml: YAML });
    expect(() => open.gateway.routes().resolve("fake/chat-4")).toThrow(
      'model "fake/chat-4" does not support embeddings',
    );
  });

  test("with a typo gets a suggestion", async () => {
    await using open = await openGateway({ yaml: YAML });
    for (const wrong of ["knowm", "KNOWN", "known:latest", "Known:Latest"])
      expect(() => open.gateway.routes().resolve(wrong)).toThrow("Did you mean `known`?");
    expect(() => open.gateway.routes().resolve("openai%2Ftext-embedding-3-small:latest")).toThrow(
      "Did you mean `openai/text-embedding-3-small`?",
    );
  });
});

test("two names of one model are one space", async () => {
  await using open = await openGateway({ yaml: YAML });
  expect(open.gateway.routes().resolve("openai/text-embedding-3-small").space).toBe("text-embedding-3-small");
});

test("the list has what can be requested by name: no pattern, nothing unconfigured", async () => {
  await using open = await openGateway({ yaml: YAML });
  const ids = open.gateway
    .routes()
    .list()
    .map(({ id }) => id);
  expect(ids).toEqual(["known", "alias", "second-alias", "behind-pattern", "openai/text-embedding-3-small"]);
});
