/**
 * Google's Vertex AI: `:predict` with an instance for each text, and `:embedContent` with one text for models after gemini-embedding-001, which
 * support nothing else (agentgateway/agentgateway#2968). Sources: cloud.google.com/vertex-ai/generative-ai/docs/embeddings/get-text-embeddings,
 * …/model-reference/text-embeddings-api, @google/genai 3.1.0.
 */
import type {
  EmbedCall,
  EmbedReply,
  Explanation,
  Host,
  KnownFacts,
  Plugin,
  Posted,
  WireVector,
} from "../src/plugin";
import { withVersion } from "./base-url";
import { cutOf, truncateField } from "./cutting";
import { isPrompted, prompted, refusalOf, retryAfter, TASKS, titleField, titleOf } from "./google";
import { type Access, accessSource } from "./google-credentials";
import { headersOf } from "./headers";
import { headersOption, ownAddressOption, queryOption, withQuery } from "./options";
import { refuseOwn, textsOf } from "./request-body";
import { tooLongAmong } from "./too-long";
import { countAt } from "./usage";

const plugin: Plugin = (host) => {
  const { t } = host;
  const text = (description: string) => t.String({ minLength: 1, description });
  const statistics = t.Optional(
    t.Object({ token_count: t.Optional(t.Unknown()), truncated: t.Optional(t.Boolean()) }),
  );
  const Predicted = t.Object({
    predictions: t.Array(t.Object({ embeddings: t.Object({ values: host.wireVector, statistics }) })),
  });
  const Embedded = t.Object({
    embedding: t.Object({ values: host.wireVector }),
    usageMetadata: t.Optional(t.Unknown()),
    truncated: t.Optional(t.Boolean()),
  });

  return host.provider({
    id: "vertex",
    telemetryName: "gcp.vertex_ai",
    options: t.Object(
      {
        project: t.Optional(text("Project id. Default: the credentials' project.")),
        location: t.String({
          default: "us-central1",
          pattern: "^[a-z0-9-]+$",
          description: "A region, a multi-region (us, eu) or global.",
        }),
        credentials: t.Optional(
          t.String({
            minLength: 1,
            maybePath: true,
            description:
              "A service account's JSON, or the path to it. Default: GOOGLE_APPLICATION_CREDENTIALS, gcloud's own or the metadata server's.",
          }),
        ),
        access_token: t.Optional(text("An access token instead of credentials; it is not renewed.")),
        base_url: t.Optional(
          ownAddressOption(host, "Base URL, with or without its version. Default: the location's."),
        ),
        query: queryOption(host),
        headers: headersOption(host),
      },
      { additionalProperties: false },
    ),
    tasks: TASKS,
    fields: { title: titleField(host), truncate: truncateField(host, ["end"]) },
    concurrency: 32,
    open({ project, location, credentials, access_token, base_url, query, headers: further }) {
      const source = accessSource(host, {
        ...(access_token !== undefined && { access_token }),
        ...(credentials !== undefined && { credentials }),
      });
      const address = base_url ?? addressOf(location);
      async function ask(
        method: string,
        body: unknown,
        { model, signal, inputs }: EmbedCall,
      ): Promise<Posted> {
        const access = await source.current(signal);
        const resource = `projects/${projectOf(host, project, access)}/locations/${location}`;
        const name = encodeURIComponent(bareName(model));
        const path = `${resource}/publishers/google/models/${name}:${method}`;
        const url = withQuery(address, query, (base) => `${withVersion(base, "v1")}/${path}`);
        const headers = headersOf(further, {
          authorization: `Bearer ${access.token}`,
          "x-goog-user-project": access.quotaProject,
        });
        const explain = (refusal: Posted) => {
          if (refusal.status === 401) source.forget();
          return explained(host, refusal, inputs.length);
        };
        return host.post({ url, headers, body, signal, explain });
      }
      return {
        describe: (model) => limitsOf(bareName(model)),
        async embed(call) {
          if (isEmbedContent(bareName(call.model))) {
            const { bytes } = await ask("embedContent", contentOf(host, call), call);
            const { embedding, usageMetadata, truncated = false } = await host.readReply(Embedded, bytes);
            return {
              vectors: [{ index: 0, values: host.vector(embedding.values) }],
              tokens: countAt(usageMetadata, "promptTokenCount"),
              tokensSource: "provider",
              truncated: truncated ? [0] : [],
            };
          }
          const { bytes } = await ask("predict", instancesOf(host, call), call);
          const { predictions } = await host.readReply(Predicted, bytes);
          return replyOf(host, predictions);
        },
      };
    },
  });
};

export default plugin;

/** Distinguishes the models as Google's SDK does. */
const isEmbedContent = (model: string) => model.includes("gemini") && model !== "gemini-embedding-001";

/** Clients of routers write `google/…`, Google's own clients `publishers/google/models/…`. */
const bareName = (model: string) => model.replace(/^(?:publishers\/)?google\/(?:models\/)?|^models\//, "");

/** "250 input texts for non-Gemini models, and a single input text for Gemini Embedding models"; "a maximum input token limit of 20,000". */
function limitsOf(model: string): KnownFacts {
  return model.includes("gemini") ? { max_inputs: 1 } : { max_inputs: 250, max_call_tokens: 20_000 };
}

/** The host of one region, of a multi-region (`aiplatform.eu.rep.…`), or the global one, as Google's SDK builds it. */
function addressOf(location: string): string {
  if (location === "global") return "https://aiplatform.googleapis.com";
  if (location === "us" || location === "eu") return `https://aiplatform.${location}.rep.googleapis.com`;
  return `https://${location}-aiplatform.googleapis.com`;
}

function projectOf(host: Host, project: string | undefined, access: Access): string {
  const found = project ?? access.project ?? host.variable("GOOGLE_CLOUD_PROJECT") ?? access.quotaProject;
  if (found !== undefined) return encodeURIComponent(found);
  throw host.failure(
    "unauthorized",
    "The Google credentials name no project: set project, or the variable GOOGLE_CLOUD_PROJECT.",
  );
}

/** Fields that the caller may not set in `extra_body`. */
const OWN_PARAMETERS: Readonly<Record<string, string>> = {
  outputDimensionality: "dimensions",
  autoTruncate: "truncate",
  taskType: "task_type",
  title: "title",
};

/** Parameters of `extra_body`, none of which the plugin sets. */
function furtherOf({ extraBody }: EmbedCall, holder: string): Readonly<Record<string, unknown>> {
  const given = extraBody[holder];
  return typeof given === "object" && given !== null && !Array.isArray(given) ? { ...given } : {};
}

function instancesOf(host: Host, call: EmbedCall): Readonly<Record<string, unknown>> {
  const { task, extraBody, dimensions } = call;
  refuseOwn(host, call, OWN_PARAMETERS);
  const title = titleOf(host, call);
  return {
    ...extraBody,
    instances: textsOf(host, call).map((content) => ({
      content,
      ...(task === undefined ? {} : { task_type: task }),
      ...(title === undefined ? {} : { title }),
    })),
    parameters: {
      ...furtherOf(call, "parameters"),
      // Vertex's default true would truncate a long text, visible only in the statistics.
      autoTruncate: cutOf(call) === "end",
      ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
    },
  };
}

function contentOf(host: Host, call: EmbedCall): Readonly<Record<string, unknown>> {
  const { task, extraBody, dimensions } = call;
  refuseOwn(host, call, OWN_PARAMETERS);
  const title = titleOf(host, call);
  const [text = "", another] = textsOf(host, call);
  if (another !== undefined) throw host.failure("too_many_tokens", "This model takes one text per call.");
  const tellsInText = isPrompted(bareName(call.model));
  return {
    ...extraBody,
    content: { parts: [{ text: tellsInText ? prompted(text, task, title) : text }] },
    embedContentConfig: {
      ...furtherOf(call, "embedContentConfig"),
      ...(tellsInText || task === undefined ? {} : { taskType: task }),
      ...(tellsInText || title === undefined ? {} : { title }),
      autoTruncate: cutOf(call) === "end",
      ...(dimensions === undefined ? {} : { outputDimensionality: dimensions }),
    },
  };
}

interface Prediction {
  readonly embeddings: {
    readonly values: WireVector;
    readonly statistics?: { readonly token_count?: unknown; readonly truncated?: boolean };
  };
}

/** One prediction per instance, in the same order: there is no index. */
function replyOf(host: Host, predictions: readonly Prediction[]): EmbedReply {
  const counts = predictions.map(({ embeddings }) => countAt(embeddings.statistics, "token_count"));
  const known = counts.filter((count) => count !== undefined);
  return {
    vectors: predictions.map(({ embeddings }, index) => ({ index, values: host.vector(embeddings.values) })),
    // This API sends the count as a double.
    tokens:
      known.length < counts.length ? undefined : Math.round(known.reduce((sum, count) => sum + count, 0)),
    tokensSource: "provider",
    truncated: predictions.flatMap(({ embeddings }, i) => (embeddings.statistics?.truncated ? [i] : [])),
  };
}

function explained(host: Host, posted: Posted, inputs: number): Explanation | undefined {
  const refusal = refusalOf(host, posted);
  if (!refusal) return undefined;
  const { message, status } = refusal;
  const said = { message, ...retryAfter(refusal) };
  // "Precondition check failed.": the model is not available there, or not by this method; the caller did nothing wrong.
  if (status === "FAILED_PRECONDITION") return { ...said, kind: "unauthorized" };
  if (/instance\(s\) is allowed per prediction/i.test(message)) return { ...said, kind: "too_many_tokens" };
  if (/input token count|number of tokens allowed/i.test(message))
    return { ...said, ...tooLongAmong(inputs) };
  return said;
}
