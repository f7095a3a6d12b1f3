/**
 * The dialects: each a full set of policies, as data. The only place where they are told apart by name; code that acts on a wire asks its
 * policies. A new dialect of this shape is a record here and a name in src/config/schema.ts.
 */
import type { GatewayConfig } from "../config/gateway-config";
import type { DialectName } from "../config/schema-values";
import type { Policies, PolicyOverrides } from "../domain/policies";

/** The union: every field that any of them accepts, and OpenAI's own rules where they disagree. */
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
    // The name that OpenAI's own answer has. Behind a router's prefix the id is echoed as it was sent.
    reply_models: { "text-embedding-ada-002": "text-embedding-ada-002-v2" },
    models_list: "features",
    provider_header: "X-Quantized-Provider",
  },
};

/** The settings of the wire: the whole gateway, the defaults of workspaces, or one workspace. What is null is left to others. */
export interface DialectChoice {
  readonly dialect?: DialectName | null | undefined;
  readonly policies?: PolicyOverrides | null | undefined;
}

/** The gateway's own: for unknown callers, and for the document. */
export function gatewayPolicies({ server }: Pick<GatewayConfig, "server">): Policies {
  return policiesFrom(server);
}

/** A workspace's: the nearest dialect, then single policies, of which the nearest wins over the others. */
export function policiesOf(
  { server, workspaceDefaults }: Pick<GatewayConfig, "server" | "workspaceDefaults">,
  workspace: DialectChoice = {},
): Policies {
  return policiesFrom(server, workspaceDefaults, workspace);
}

/** The operator sees who answered at what price, and may force a provider, whatever its customers may. */
export function asAdmin(policies: Policies): Policies {
  return { ...policies, provider_names: "show", prices: "cost", force_provider: "everyone" };
}

/** @param choices from the widest to the nearest */
function policiesFrom(...choices: readonly DialectChoice[]): Policies {
  const dialect = choices.findLast((choice) => (choice.dialect ?? undefined) !== undefined)?.dialect;
  let policies = DIALECTS[dialect ?? "openai"];
  for (const { policies: own } of choices) if (own) policies = { ...policies, ...own };
  return policies;
}
