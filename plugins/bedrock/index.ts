/**
 * Amazon Bedrock's InvokeModel, signed by SigV4 or with a Bedrock API key. The body and reply of each model family are in its vendor's
 * file, the sources of credentials in credentials.ts. Sources: docs.aws.amazon.com/bedrock/latest/APIReference/API_runtime_InvokeModel.html,
 * …/userguide/api-keys-use.html; @aws-sdk/client-bedrock-runtime.
 */
import { AwsV4Signer } from "aws4fetch";
import type { EmbedCall, Host, Plugin, Posted } from "../../src/plugin";
import { withoutSlash } from "../base-url";
import { COHERE_WORDS } from "../cohere-words";
import { cutOf, truncateField } from "../cutting";
import { headersOf } from "../headers";
import { headersOption, ownAddressOption, queryOption, withQuery } from "../options";
import { refuseOwn } from "../request-body";
import { cohere3, cohere4 } from "./cohere";
import { type CredentialSource, credentialSource } from "./credentials";
import type { Asked, Family } from "./family";
import { nova } from "./nova";
import { explained } from "./refusals";
import { titanImage, titanText1, titanText2 } from "./titan";

const FAMILIES = [titanText2, titanText1, titanImage, cohere3, cohere4, nova];

const plugin: Plugin = (host) => {
  const { t } = host;
  const known = FAMILIES.map((family) => family(host));
  const familyOf = (model: string) => known.find(({ ids }) => ids.some((id) => model.includes(id)));
  const optional = (description: string) => t.Optional(t.String({ minLength: 1, description }));

  return host.provider({
    id: "bedrock",
    telemetryName: "aws.bedrock",
    options: t.Object(
      {
        region: t.Optional(
          t.String({
            pattern: "^[a-z]{2}(-[a-z]+)+-[0-9]+$",
            expected: "a region, such as us-east-1",
            description: "Default: base_url's, else AWS_REGION or AWS_DEFAULT_REGION.",
          }),
        ),
        base_url: t.Optional(
          ownAddressOption(
            host,
            "Another URL than the region's, such as a proxy's, a FIPS or a VPC endpoint.",
          ),
        ),
        query: queryOption(host),
        api_key: optional("A Bedrock API key, sent as a Bearer token. Default: AWS_BEARER_TOKEN_BEDROCK."),
        access_key_id: optional(
          "Access key id, with secret_access_key. Default: AWS_ACCESS_KEY_ID, a profile, a web identity, the container's or the machine's role.",
        ),
        secret_access_key: optional("Signs requests; it is never sent."),
        session_token: optional("Session token of temporary credentials."),
        profile: optional(
          "A profile in ~/.aws/config or ~/.aws/credentials: keys, a role, a web identity or IAM Identity Center. Default: AWS_PROFILE, else default.",
        ),
        role_arn: optional("A role to assume with these credentials, such as one of another account."),
        external_id: optional("The external id that the role requires."),
        headers: headersOption(host, "Additional headers, such as a proxy's; they are signed too."),
      },
      { additionalProperties: false },
    ),
    // Cohere's words; nova.ts translates them to its own. Titan has no tasks.
    tasks: { words: COHERE_WORDS },
    fields: {
      normalize: t.Boolean({
        description: "Titan Text Embeddings V2: false leaves vectors at their own length.",
      }),
      truncate: truncateField(host, ["end", "start"]),
    },
    concurrency: 32,
    open(options) {
      const base = options.base_url;
      const region =
        options.region ??
        /\bbedrock-runtime(?:-fips)?\.([a-z0-9-]+)\./.exec(base ?? "")?.[1] ??
        host.variable("AWS_REGION") ??
        host.variable("AWS_DEFAULT_REGION");
      const { access_key_id, profile, role_arn } = options;
      const signs = [access_key_id, profile, role_arn].some((given) => given !== undefined);
      const bearer = options.api_key ?? (signs ? undefined : host.variable("AWS_BEARER_TOKEN_BEDROCK"));
      const credentials = credentialSource(host, options, region);
      return {
        describe: (model) => familyOf(model)?.facts,
        async embed(call) {
          const family = familyOf(call.model);
          if (!family) throw host.failure("not_found", unknownFamily(call.model, known));
          const asked = askedOf(host, call, family);
          const path = `model/${escaped(call.model)}/invoke`;
          const url = withQuery(
            base ?? addressOf(host, region),
            options.query,
            (address) => `${withoutSlash(address)}/${path}`,
          );
          // Serialised once, because exactly these bytes are signed.
          const own = family.body(asked);
          // host.post refuses other spellings of a body's names in extra_body; this body does not go through host.post, so the check is made here.
          const named = Object.fromEntries(Object.keys(own).map((name) => [name, undefined]));
          refuseOwn(host, call, { ...named, ...OWN_FIELDS }, own);
          const body = JSON.stringify({ ...call.extraBody, ...own });
          const plain = headersOf(options.headers, {
            "content-type": "application/json",
            accept: "application/json",
            authorization: bearer && `Bearer ${bearer}`,
          });
          const request = { method: "POST", url, headers: plain, body } as const;
          const headers = bearer === undefined ? await signed(host, request, region, credentials) : plain;
          const explain = (refusal: Posted) => {
            if (refusal.status === 403) credentials.forget();
            return explained(host, refusal, asked.texts.length);
          };
          const reply = await host.send({ ...request, headers, explain, signal: call.signal });
          const { vectors, tokens, truncated = [] } = await family.read(reply.bytes, asked);
          const header = reply.headers.get("x-amzn-bedrock-input-token-count");
          const shortened = asked.texts.flatMap((text, place) =>
            text === call.inputs[place] ? [] : [place],
          );
          return {
            vectors,
            tokens: tokens ?? (header === null ? undefined : Number(header)),
            tokensSource: tokens === undefined ? "header" : "provider",
            truncated: [...new Set([...truncated, ...shortened])],
          };
        },
      };
    },
  });
};

export default plugin;

const noRegion = (host: Host) =>
  host.failure("unauthorized", "No AWS region: set region of the provider, or the variable AWS_REGION.");

const unknownFamily = (model: string, known: readonly Family[]) =>
  `"${model.slice(0, 200)}" is not an embedding model that this plugin knows: ${known.flatMap(({ ids }) => ids).join(", ")}.`;

function addressOf(host: Host, region: string | undefined): string {
  if (region === undefined) throw noRegion(host);
  return `https://bedrock-runtime.${region}.amazonaws.com${region.startsWith("cn-") ? ".cn" : ""}`;
}

/** Escapes as AWS's own SDKs do, which escape more than encodeURIComponent: a signature covers the path as written. */
const escaped = (model: string) =>
  encodeURIComponent(model).replace(
    /[!'()*]/g,
    (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`,
  );

async function signed(
  host: Host,
  request: { method: string; url: string; headers: Readonly<Record<string, string>>; body: string },
  region: string | undefined,
  source: CredentialSource,
): Promise<Record<string, string>> {
  if (region === undefined) throw noRegion(host);
  const credentials = await source.current();
  const datetime = new Date(host.now()).toISOString().replace(/[:-]|\.\d{3}/g, "");
  // Without this, an `authorization` header of the routing file would be signed and then replaced.
  const { authorization: _, ...headers } = request.headers;
  const signer = new AwsV4Signer({
    ...request,
    headers,
    ...credentials,
    service: "bedrock",
    region,
    datetime,
    // The media type is signed too: otherwise a proxy could change what the same bytes mean.
    allHeaders: true,
  });
  return Object.fromEntries((await signer.sign()).headers);
}

function askedOf(
  host: Host,
  { inputs, dimensions, task, fields, longInput, types = [] }: EmbedCall,
  family: Family,
): Asked {
  const { facts, mostOfText, normalizes = false } = family;
  if (inputs.length > (facts.max_inputs ?? 1))
    throw host.failure("too_many_tokens", `A call to this model takes at most ${facts.max_inputs} texts.`);
  const normalize = typeof fields.normalize === "boolean" ? fields.normalize : undefined;
  if (normalize !== undefined && !normalizes)
    throw host.failure("invalid", "'normalize' is for Titan Text Embeddings V2 only.", {
      field: "normalize",
    });
  const cut = cutOf({ fields, longInput });
  const texts = inputs.map((input) => {
    if (typeof input !== "string") throw host.failure("invalid", "Bedrock takes texts, not token ids.");
    return cut === "none" || mostOfText === undefined ? input : shortened(input, mostOfText, cut);
  });
  return { texts, dimensions, task, normalize, cut, types };
}

function shortened(
  text: string,
  { size, of }: NonNullable<Family["mostOfText"]>,
  cut: "start" | "end",
): string {
  // Each character counts at least one, so no more characters than `size` can be kept.
  const characters = [...(cut === "end" ? text.slice(0, size + 1) : text.slice(-size - 1))];
  if (cut === "start") characters.reverse();
  let sum = 0;
  const past = characters.findIndex((character) => {
    sum += of(character);
    return sum > size;
  });
  const kept = past === -1 ? characters : characters.slice(0, past);
  return (cut === "start" ? kept.reverse() : kept).join("");
}

/** Fields that a caller may not set in extra_body, and the request field that sets each, if there is one. */
const OWN_FIELDS: Readonly<Record<string, string | undefined>> = {
  dimensions: "dimensions",
  output_dimension: "dimensions",
  embeddingConfig: "dimensions",
  input_type: "input_type",
  truncate: "truncate",
  normalize: "normalize",
  embeddingTypes: undefined,
};
