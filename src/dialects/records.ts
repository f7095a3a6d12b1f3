/**
 * The dialects: each a full set of policies, as data. Only here are they distinguished by name; all other code asks for a
 * policy. A new dialect of this shape is a record here and a name in src/config/schema-values.ts.
 */
import type { GatewayConfig } from "../config/gateway-config";
import type { DialectName } from "../config/schema-values";
import type { Policies, PolicyOverrides } from "../domain/policies";

/** The union: every field that any of them accepts, and OpenAI's own rules if they disagree. */
const openai: Policies = {
  unknown_fields: "declared",
  dimensions: "honour",
  user: "honour",
  metadata: "honour",
  extra_body: "honour",
  stream: "honour",
  unused_hints: "tell",
  token_arrays: "accept",
  base64: "accept",
  empty_input: "reject",
  max_inputs: 2048,
  invalid_status: 400,
  invalid_code: null,
  unknown_model_status: 404,
  no_key_code: "invalid_api_key",
  wrong_key_code: "invalid_api_key",
  auth_error_type: "invalid_request_error",
  rate_limit_code: "rate_limit_exceeded",
  upstream_faults: "distinct",
  usage_credits: false,
  reply_id: true,
  reply_models: {},
  models_list: "prices",
  provider_names: "show",
  prices: "cost",
  force_provider: "everyone",
  provider_header: null,
};

export const DIALECTS: Readonly<Record<DialectName, Policies>> = {
  openai,
  opentoken: {
    ...openai,
    reply_id: false,
    token_arrays: "reject",
    unknown_model_status: 400,
    auth_error_type: "authentication_error",
  },
  tokenfactory: {
    ...openai,
    reply_id: false,
    unknown_fields: "ignore",
    dimensions: "ignore",
    user: "ignore",
    metadata: "ignore",
    extra_body: "ignore",
    stream: "ignore",
    token_arrays: "reject",
    invalid_code: "invalid_payload",
    no_key_code: "unauthorized",
    rate_limit_code: "rate_limited",
    upstream_faults: "unavailable",
  },
  quantized: {
    ...openai,
    unknown_fields: "reject",
    metadata: "reject",
    extra_body: "reject",
    stream: "reject",
    unused_hints: "reject",
    token_arrays: "reject",
    base64: "reject",
    empty_input: "accept",
    invalid_status: 422,
    upstream_faults: "unavailable",
    usage_credits: true,
    reply_id: false,
    // The name in OpenAI's own answer. With a router's prefix the id is repeated as it was sent.
    reply_models: { "text-embedding-ada-002": "text-embedding-ada-002-v2" },
    models_list: "features",
    provider_header: "X-Quantized-Provider",
  },
};

/** The settings of the whole gateway, of the workspace defaults, or of one workspace. null leaves a setting to the others. */
export interface DialectChoice {
  readonly dialect?: DialectName | null | undefined;
  readonly policies?: PolicyOverrides | null | undefined;
}

/** The gateway's own: for unknown callers, and for the document. */
export function gatewayPolicies({ server }: Pick<GatewayConfig, "server">): Policies {
  return policiesFrom(server);
}

/** A workspace's: the nearest dialect, then single policies, where the nearest wins. */
export function policiesOf(
  { server, workspaceDefaults }: Pick<GatewayConfig, "server" | "workspaceDefaults">,
  workspace: DialectChoice = {},
): Policies {
  return policiesFrom(server, workspaceDefaults, workspace);
}

/** The operator sees who answered at what price, and may force a provider, whatever customers may. */
export function asAdmin(policies: Policies): Policies {
  return { ...policies, provider_names: "show", prices: "cost", force_provider: "everyone" };
}

/** @param choices from the most general to the nearest */
function policiesFrom(...choices: readonly DialectChoice[]): Policies {
  const dialect = choices.findLast((choice) => (choice.dialect ?? undefined) !== undefined)?.dialect;
  let policies = DIALECTS[dialect ?? "openai"];
  // Policies without exceptions stay one object: what is made of them is found by it.
  for (const { policies: own } of choices)
    if (own && Object.keys(own).length > 0) policies = { ...policies, ...own };
  return policies;
}
