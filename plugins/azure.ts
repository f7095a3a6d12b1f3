/**
 * Azure OpenAI: OpenAI's API with the deployment's name as the model, at either of its paths: /openai/v1 of a resource, or the classic path
 * of each deployment, with an `api-version` in the URL. Sources: Azure/azure-rest-api-specs (cognitiveservices, inference),
 * openai 7.57.0 (class AzureOpenAI), learn.microsoft.com/azure/ai-foundry/openai/api-version-lifecycle.
 */
import type { Plugin, Posted } from "../src/plugin";
import { identityOptions, tokenSource } from "./azure-identity";
import { withoutSlash } from "./base-url";
import { headersOf } from "./headers";
import { bodyOf, openaiWire } from "./openai-wire";
import { headersOption, ownAddressOption, queryOption, withQuery } from "./options";

const plugin: Plugin = (host) => {
  const { t } = host;
  const wire = openaiWire(host);
  return host.provider({
    id: "azure",
    telemetryName: "azure.ai.openai",
    options: t.Object(
      {
        base_url: ownAddressOption(
          host,
          "URL of the resource: https://NAME.openai.azure.com, with or without /openai/v1.",
        ),
        query: queryOption(host),
        api_key: t.Optional(t.String({ minLength: 1, description: "Sent in the api-key header." })),
        ad_token: t.Optional(
          t.String({
            minLength: 1,
            description:
              "An Entra ID token instead of a key, sent as a bearer token. It expires; an identity's tokens are renewed.",
          }),
        ),
        ...identityOptions(host),
        api_version: t.Optional(
          t.String({
            pattern: "^(v1|preview|latest|\\d{4}-\\d{2}-\\d{2}(-preview)?)$",
            description:
              "A date such as 2024-10-21 selects the classic deployments path. Default: /openai/v1.",
          }),
        ),
        deployments: t.Optional(
          t.Record(t.String(), t.String({ minLength: 1 }), {
            description:
              "Deployment names by model, where they differ: { text-embedding-3-small: our-name }.",
          }),
        ),
        headers: headersOption(host),
      },
      { additionalProperties: false },
    ),
    concurrency: 32,
    open({
      base_url,
      query,
      api_key,
      ad_token,
      api_version,
      deployments = {},
      headers: further,
      ...identity
    }) {
      const isGiven = api_key !== undefined || ad_token !== undefined;
      const tokens = isGiven ? undefined : tokenSource(host, identity);
      const headersWith = (token: string | undefined) =>
        headersOf(further, {
          "api-key": api_key,
          authorization: api_key === undefined && token !== undefined ? `Bearer ${token}` : undefined,
        });
      const explain = (refusal: Posted) => {
        if (refusal.status === 401) tokens?.forget();
        return wire.explain(refusal);
      };
      return {
        describe: () => LIMITS,
        async embed(call) {
          const model = Object.hasOwn(deployments, call.model)
            ? (deployments[call.model] ?? call.model)
            : call.model;
          const url = withQuery(base_url, query, (base) => addressOf(base, api_version, model));
          const headers = headersWith(tokens ? await tokens.current(call.signal) : ad_token);
          return wire.embed({ url, headers, body: bodyOf({ ...call, model }), signal: call.signal, explain });
        },
      };
    },
  });
};

export default plugin;

/** Whatever the deployment's name, its model is one of OpenAI's three. */
const LIMITS = {
  // learn.microsoft.com/azure/ai-foundry/openai/how-to/embeddings: "an array of up to 2048".
  max_inputs: 2048,
  max_input_tokens: 8192,
  // The v1 reference; another page says 8,192 for a whole call. A resource with that limit answers 400, and the call is then split in halves.
  max_call_tokens: 300_000,
  normalized: true,
  tokenizer: "cl100k_base",
  token_ids: "native",
  wire_encoding: "base64",
} as const;

function addressOf(base_url: string, version: string | undefined, deployment: string): string {
  const resource = withoutSlash(base_url).replace(/\/openai(?:\/v1)?$/, "");
  const query = version === undefined ? "" : `?api-version=${version}`;
  const isClassic = version !== undefined && /^\d/.test(version);
  const path = isClassic ? `deployments/${encodeURIComponent(deployment)}` : "v1";
  return `${resource}/openai/${path}/embeddings${query}`;
}
