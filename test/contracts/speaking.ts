/**
 * A gateway with one dialect, in front of fake vendors: tests see what each was sent, and can change each
 * answer. A model that another contract needs joins MODELS.
 */
import { Database } from "bun:sqlite";
import { expect } from "bun:test";
import { join } from "node:path";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { exactVector } from "../../plugins/fake";
import { ErrorResponse } from "../../src/dialects/openai-schema";
import { realOutside } from "../../src/network/real-outside";
import { type OpenGateway, type Opening, openGateway, type Sent } from "../gateway";
import { bedrockVendor, REGION } from "../plugins/vendors/bedrock";
import { AWS_KEYS } from "../plugins/vendors/bedrock-signature";
import { GEMINI_KEY, geminiVendor } from "../plugins/vendors/gemini";
import { quiet } from "../request/vendor";

/** One token per word, and each model has the dimensions that the contracts give it. */
const MODELS = `
  text-embedding-3-small:
    routes: [ { provider: openai }, { provider: openrouter, model: openai/text-embedding-3-small } ]
  text-embedding-3-large: { routes: [ { provider: openai } ] }
  text-embedding-ada-002: { routes: [ { provider: openai } ] }
  google/text-embedding-004: { routes: [ { provider: google, model: text-embedding-004 } ], price: 0.025 }
  gemini-embedding-001: { routes: [ { provider: google } ] }
  gemini-embedding-2: { routes: [ { provider: google } ] }
  "amazon.titan-embed-text-v2:0": { routes: [ { provider: aws } ] }
  cohere.embed-english-v3: { routes: [ { provider: aws } ] }
  "cohere.embed-v4:0": { routes: [ { provider: aws } ] }
  BAAI/bge-large-en-v1.5: { routes: [ { provider: openai, model: bge } ], dimensions: 1024, price: 1, uncounted: send }
  "routed/*": { routes: [ { provider: openrouter, model: "*" } ], uncounted: send }
  chat: { embeddings: false }
  fake: { routes: [ { provider: fake } ], price: 3.2 }
  alias: { alias_of: fake }
${["nan", "stuck", "down", "overloaded", "unauthorized", "missing", "invalid"]
  .map((fault) => `  fake-${fault}: { routes: [ { provider: fake } ] }`)
  .join("\n")}
`;

const SIZES: Readonly<Record<string, number>> = {
  "text-embedding-3-small": 1536,
  "openai/text-embedding-3-small": 1536,
  "text-embedding-3-large": 3072,
  "text-embedding-ada-002": 1536,
  bge: 1024,
};

export interface Call {
  readonly host: string;
  readonly body: Readonly<Record<string, unknown>>;
}

export interface Speaking extends OpenGateway {
  readonly key: string;
  /** What the vendors were sent, without the measurements at the start. */
  readonly calls: Call[];
  /** What a host answers instead of vectors. */
  readonly answers: Map<string, () => Response>;
  /** As a caller with the key. */
  ask(body: unknown, headers?: Readonly<Record<string, string>>): Promise<Sent>;
  /** Like `ask`, with waits a thousandth as long: for a provider that never answers. */
  askInHaste(body: unknown): Promise<Sent>;
  get(path: string): Promise<Sent>;
  rows(): Row[];
}

export interface Row {
  readonly [column: string]: unknown;
}

interface Wanted {
  /** Members of the section `server`, as YAML. */
  readonly server: string;
  /** Further sections, as YAML. */
  readonly more?: string;
  readonly workspace?: Parameters<OpenGateway["gateway"]["workspaces"]["create"]>[1];
  /** Micro-credits; undefined: no limit. */
  readonly credits?: bigint;
  /** An issuer's public key: its tokens are accepted too. */
  readonly issuerPem?: string;
  readonly outside?: Opening["outside"];
}

export async function openSpeaking({
  server,
  more = "",
  workspace = {},
  credits,
  issuerPem,
  outside,
}: Wanted): Promise<Speaking> {
  const calls: Call[] = [];
  const answers = new Map<string, () => Response>();
  const google = geminiVendor("text-embedding-004");
  const amazon = bedrockVendor();
  const fetch = async (url: string, init: RequestInit) => {
    const call: Call = { host: new URL(url).hostname, body: JSON.parse(String(init.body)) };
    calls.push(call);
    if (call.host.endsWith("googleapis.com")) return google.fetch(url, init);
    const answer = answers.get(call.host);
    if (!answer && call.host.endsWith("amazonaws.com")) return amazon.fetch(url, init);
    return answer?.() ?? rightly(call);
  };
  let haste = 1;
  const sleep: typeof realOutside.sleep = (ms, signal) => realOutside.sleep(ms / haste, signal);
  const alarm: typeof realOutside.alarm = (ms, ring) => realOutside.alarm(ms / haste, ring);
  const open = await openGateway({
    readsFile: true,
    yaml: `
server: { ${server} }
auth: ${JSON.stringify({ mode: "keys", ...(issuerPem && { jwt: { public_key: issuerPem, create_workspaces: true } }) })}
space_probe: false
providers:
  openai: { plugin: openai, api_key: k, base_url: "http://openai.example/v1", retries: 0 }
  openrouter: { plugin: openrouter, api_key: k, base_url: "http://openrouter.example/api/v1", retries: 0 }
  elsewhere: { plugin: openai, api_key: "\${UNSET}" }
  google: { plugin: gemini, api_key: ${GEMINI_KEY}, retries: 0 }
  aws:
    plugin: bedrock
    region: ${REGION}
    access_key_id: ${AWS_KEYS.accessKeyId}
    secret_access_key: ${AWS_KEYS.secretAccessKey}
    retries: 0
  fake: { plugin: fake, retries: 0 }
models:${MODELS}${more}`,
    outside: { fetch, sleep, alarm, ...outside },
  });
  await open.gateway.workspaces.create("team", workspace, credits ?? null);
  const { key } = await open.gateway.keys.create("test", "team");
  // A second route of a model serves once it was measured: so the routes are called one after the other.
  for (let turn = 0; turn < 100 && !calls.some(({ host }) => host === "openrouter.example"); turn++)
    await quiet();
  await quiet();
  calls.length = 0;
  const authorization = `Bearer ${key}`;
  const ask = (body: unknown, headers: Readonly<Record<string, string>> = {}) =>
    open.post(body, { authorization, ...headers });
  return Object.assign(open, {
    key,
    calls,
    answers,
    ask,
    async askInHaste(body: unknown) {
      haste = 1000;
      try {
        return await ask(body);
      } finally {
        haste = 1;
      }
    },
    get: (path: string) => open.send(path, { headers: { authorization } }),
    rows: () => {
      const database = new Database(join(open.folder, "data/embedgate.db"), { readonly: true });
      const rows = database
        .query<Row, []>("SELECT * FROM ledger WHERE workspace = 'team' ORDER BY rowid")
        .all();
      database.close();
      return rows;
    },
  });
}

function rightly({ body }: Call): Response {
  const { model, encoding_format, dimensions } = body;
  const texts = [body.input].flat().map(String);
  const size = Number(dimensions ?? SIZES[String(model)] ?? 4);
  const data = texts.map((text, index) => {
    const vector = exactVector(text, size);
    const embedding =
      encoding_format === "base64" ? new Uint8Array(vector.buffer).toBase64() : Array.from(vector);
    return { object: "embedding", index, embedding };
  });
  const tokens = texts.reduce((sum, text) => sum + wordsOf(text), 0);
  const called = model === "text-embedding-ada-002" ? "text-embedding-ada-002-v2" : model;
  return Response.json({
    object: "list",
    data,
    model: called,
    usage: { prompt_tokens: tokens, total_tokens: tokens },
  });
}

const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean).length;

/** The body of a successful answer. */
const Answer = Type.Object(
  {
    object: Type.Literal("list"),
    data: Type.Array(
      Type.Object({
        object: Type.Literal("embedding"),
        index: Type.Integer(),
        embedding: Type.Union([Type.Array(Type.Number()), Type.String()]),
      }),
    ),
    model: Type.String(),
    usage: Type.Record(Type.String(), Type.Union([Type.Integer(), Type.Null()])),
  },
  { additionalProperties: false },
);

export function answerOf(sent: Sent): Static<typeof Answer> {
  expect([sent.status, sent.text.slice(0, 300)]).toEqual([200, expect.stringContaining('"list"')]);
  return Value.Parse(Answer, sent.json);
}

export const sizesOf = (sent: Sent) => answerOf(sent).data.map(({ embedding }) => embedding.length);

/** Status, code and type of a refusal, whose body is OpenAI's envelope with exactly its four members. */
export function refusalOf(sent: Sent): {
  status: number;
  code: string | null;
  type: string;
  param: string | null;
} {
  const { error } = Value.Parse(ErrorResponse, sent.json);
  expect(Object.keys(error).sort()).toEqual(["code", "message", "param", "type"]);
  expect(error.message).not.toBe("");
  const { code, type, param } = error;
  return { status: sent.status, code, type, param };
}

export const messageOf = (sent: Sent) => Value.Parse(ErrorResponse, sent.json).error.message;

/** As in `GET /v1/models`, by id. */
export async function modelsOf(open: Speaking): Promise<ReadonlyMap<string, Record<string, unknown>>> {
  const List = Type.Object({ data: Type.Array(Type.Record(Type.String(), Type.Unknown())) });
  const { data } = Value.Parse(List, (await open.get("/v1/models")).json);
  return new Map(data.map((model) => [String(model.id), model]));
}
