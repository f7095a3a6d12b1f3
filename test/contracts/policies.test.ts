/**
 * Every policy of a dialect, overridden once in the routing file; and which setting wins: the gateway's, the defaults', the workspace's own.
 * A new policy is a row of OVERRIDES: without one this file does not compile.
 */
import { describe, expect, test } from "bun:test";
import type { DIALECTS } from "../../src/dialects/records";
import type { Policies } from "../../src/domain/policies";
import { modelsOf, openSpeaking, refusalOf, type Speaking, sizesOf } from "./speaking";

interface Override {
  /** The value in the routing file. */
  readonly policy: string;
  /** The dialect whose own value differs. */
  readonly over: keyof typeof DIALECTS;
  /** What can be observed, with and without the override. */
  readonly see: (open: Speaking) => unknown;
  readonly before: unknown;
  readonly after: unknown;
}

const asked = (body: object) => async (open: Speaking) =>
  (await open.ask({ model: "fake", input: "a", ...body })).status;

/** What the provider was sent for a field. */
const sent = (field: string, value: unknown) => async (open: Speaking) => {
  open.calls.length = 0;
  await open.ask({ model: "text-embedding-3-small", input: "a", [field]: value });
  return open.calls[0]?.body[field];
};

const refused = (body: object, part: "code" | "status" | "type") => async (open: Speaking) =>
  refusalOf(await open.ask({ model: "fake", input: "a", ...body }))[part];

const withKey = (key: string | undefined, part: "code" | "type") => async (open: Speaking) => {
  const headers = key === undefined ? undefined : { authorization: `Bearer ${key}` };
  return refusalOf(await open.post({ model: "fake", input: "a" }, headers))[part];
};

const OVERRIDES: Readonly<Record<keyof Policies, Override>> = {
  unknown_fields: {
    policy: "forward",
    over: "openai",
    see: sent("route", { to: "b" }),
    before: undefined,
    after: { to: "b" },
  },
  dimensions: {
    policy: "ignore",
    over: "openai",
    see: async (open) => sizesOf(await open.ask({ model: "fake", input: "a", dimensions: 5 })),
    before: [5],
    after: [16],
  },
  user: { policy: "ignore", over: "openai", see: sent("user", "u-1"), before: "u-1", after: undefined },
  metadata: { policy: "reject", over: "openai", see: asked({ metadata: {} }), before: 200, after: 400 },
  extra_body: {
    policy: "ignore",
    over: "openai",
    see: async (open) => {
      open.calls.length = 0;
      await open.ask({ model: "text-embedding-3-small", input: "a", extra_body: { truncate: "END" } });
      return open.calls[0]?.body.truncate;
    },
    before: "END",
    after: undefined,
  },
  stream: { policy: "ignore", over: "openai", see: asked({ stream: true }), before: 400, after: 200 },
  unused_hints: {
    policy: "reject",
    over: "openai",
    see: asked({ task_type: "CLUSTERING" }),
    before: 200,
    after: 400,
  },
  token_arrays: {
    policy: "accept",
    over: "quantized",
    see: asked({ model: "text-embedding-3-small", input: [15339] }),
    before: 422,
    after: 200,
  },
  base64: {
    policy: "accept",
    over: "quantized",
    see: asked({ encoding_format: "base64" }),
    before: 422,
    after: 200,
  },
  empty_input: {
    policy: "accept",
    over: "openai",
    see: asked({ input: ["", "a"] }),
    before: 400,
    after: 200,
  },
  max_inputs: {
    policy: "2100",
    over: "openai",
    see: asked({ input: new Array(2100).fill("a") }),
    before: 400,
    after: 200,
  },
  invalid_status: { policy: "400", over: "quantized", see: asked({ input: 7 }), before: 422, after: 400 },
  invalid_code: {
    policy: "null",
    over: "tokenfactory",
    see: refused({ input: 7 }, "code"),
    before: "invalid_payload",
    after: null,
  },
  unknown_model_status: {
    policy: "404",
    over: "opentoken",
    see: refused({ model: "nope" }, "status"),
    before: 400,
    after: 404,
  },
  no_key_code: {
    policy: "who_is_it",
    over: "openai",
    see: withKey(undefined, "code"),
    before: "invalid_api_key",
    after: "who_is_it",
  },
  wrong_key_code: {
    policy: "not_that_one",
    over: "openai",
    see: withKey("nothing", "code"),
    before: "invalid_api_key",
    after: "not_that_one",
  },
  auth_error_type: {
    policy: "authentication_error",
    over: "openai",
    see: withKey("nothing", "type"),
    before: "invalid_request_error",
    after: "authentication_error",
  },
  rate_limit_code: {
    policy: "slow_down",
    over: "openai",
    see: async (open) => {
      await open.gateway.workspaces.set("team", { requests_per_minute: 1 });
      await open.ask({ model: "fake", input: "a" });
      return refusalOf(await open.ask({ model: "fake", input: "a" })).code;
    },
    before: "rate_limit_exceeded",
    after: "slow_down",
  },
  upstream_faults: {
    policy: "unavailable",
    over: "openai",
    see: asked({ model: "fake-nan" }),
    before: 502,
    after: 503,
  },
  usage_credits: {
    policy: "true",
    over: "openai",
    see: async (open) => "credits_used" in Object((await open.ask({ model: "fake", input: "a" })).json).usage,
    before: false,
    after: true,
  },
  reply_id: {
    policy: "false",
    over: "openai",
    see: async (open) => "id" in Object((await open.ask({ model: "fake", input: "a" })).json),
    before: true,
    after: false,
  },
  reply_models: {
    policy: "{ fake: genuine }",
    over: "openai",
    see: async (open) => Object((await open.ask({ model: "fake", input: "a" })).json).model,
    before: "fake",
    after: "genuine",
  },
  models_list: {
    policy: "features",
    over: "openai",
    see: async (open) => (await modelsOf(open)).get("fake")?.supported_features,
    before: undefined,
    after: ["embeddings"],
  },
  provider_names: {
    policy: "hide",
    over: "openai",
    see: async (open) => {
      const { headers } = await open.ask({ model: "fake", input: "a" });
      return [headers.get("x-embedgate-provider"), (await modelsOf(open)).get("fake")?.owned_by];
    },
    before: ["fake", "fake"],
    after: [null, "embedgate"],
  },
  prices: {
    policy: "hide",
    over: "openai",
    see: async (open) => (await modelsOf(open)).get("text-embedding-3-small")?.price_usd_per_million_tokens,
    before: 0.02,
    after: null,
  },
  force_provider: {
    policy: "admins",
    over: "openai",
    see: async (open) =>
      (await open.ask({ model: "fake", input: "a" }, { "x-embedgate-provider": "fake" })).status,
    before: 200,
    after: 403,
  },
  provider_header: {
    policy: "X-Way",
    over: "openai",
    see: async (open) => (await open.ask({ model: "fake", input: "a" }, { "x-way": "nobody" })).status,
    before: 200,
    after: 400,
  },
};

describe("the routing file overrides", () => {
  test.each(Object.entries(OVERRIDES))("%s", async (name, { policy, over, see, before, after }) => {
    await using usual = await openSpeaking({ server: `dialect: ${over}` });
    expect(await see(usual)).toEqual(before);
    await using changed = await openSpeaking({
      server: `dialect: ${over}, policies: { ${name}: ${policy} }`,
    });
    expect(await see(changed)).toEqual(after);
  });

  test("but cannot have credentials and addresses forwarded with unknown fields", async () => {
    await using open = await openSpeaking({ server: "policies: { unknown_fields: forward }" });
    for (const field of ["api_key", "base_url", "headers", "requests"]) {
      const answer = await open.ask({ model: "text-embedding-3-small", input: "a", [field]: "x" });
      expect(refusalOf(answer)).toMatchObject({ status: 400, param: field });
    }
    expect(open.calls).toEqual([]);
    expect((await open.ask({ model: "fake", input: "a", input_type: "query" })).status).toBe(200);
    expect((await open.ask({ model: "fake", input: "a", input_type: "neither" })).status).toBe(400);
  });
});

describe("which setting wins", () => {
  const wrong = { model: "fake", input: 7 };

  test("a workspace's own dialect applies once the workspace is known, but not before", async () => {
    await using open = await openSpeaking({
      server: "dialect: tokenfactory",
      workspace: { dialect: "quantized" },
    });
    expect(refusalOf(await open.ask(wrong))).toMatchObject({ status: 422, code: null });
    expect((await modelsOf(open)).get("chat")).toMatchObject({ output_modality: { text: true } });
    expect(refusalOf(await open.post(wrong))).toMatchObject({ status: 401, code: "unauthorized" });
  });

  test("the defaults of workspaces override the gateway's, and a workspace's own override the defaults", async () => {
    const defaults = { server: "dialect: tokenfactory", more: "workspace_defaults: { dialect: quantized }" };
    await using open = await openSpeaking(defaults);
    expect(refusalOf(await open.ask(wrong)).status).toBe(422);
    expect(refusalOf(await open.post(wrong)).code).toBe("unauthorized");
    await open.gateway.workspaces.set("team", { dialect: "openai" });
    expect(refusalOf(await open.ask(wrong)).status).toBe(400);
  });

  test("a single policy of the gateway applies in every dialect, unless a nearer setting overrides it", async () => {
    const server = "dialect: openai, policies: { empty_input: accept, invalid_code: wrong }";
    const more = "workspace_defaults: { policies: { invalid_code: quite_wrong } }";
    await using open = await openSpeaking({ server, more, workspace: { dialect: "opentoken" } });
    expect((await open.ask({ model: "fake", input: "" })).status).toBe(200);
    expect(refusalOf(await open.ask(wrong)).code).toBe("quite_wrong");
    await open.gateway.workspaces.set("team", { policies: { invalid_code: "utterly_wrong" } });
    expect(refusalOf(await open.ask(wrong)).code).toBe("utterly_wrong");
  });
});
