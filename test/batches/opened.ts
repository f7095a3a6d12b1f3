/**
 * A gateway with batches, for tests: its provider has OpenAI's API, gives each text its own vector and counts its calls.
 */
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { BatchObject, FileObject } from "../../src/batches/objects";
import { type OpenGateway, openGateway, type Sent } from "../gateway";
import { vectorOf } from "../serving";

export const YAML = `
space_probe: false
providers: { wire: { plugin: openai, base_url: "http://wire.test/v1", retries: 0 } }
models:
  m: { routes: [ { provider: wire } ], price: 1000, max_inputs: 64 }
`;

const Asked = Type.Object({ input: Type.Array(Type.String()) });
const Line = Type.Object({
  id: Type.String(),
  custom_id: Type.String(),
  response: Type.Union([
    Type.Object({
      status_code: Type.Integer(),
      request_id: Type.String(),
      body: Type.Object({
        data: Type.Optional(
          Type.Array(Type.Object({ index: Type.Integer(), embedding: Type.Array(Type.Number()) })),
        ),
        usage: Type.Optional(Type.Object({ prompt_tokens: Type.Integer() })),
        error: Type.Optional(
          Type.Object({ message: Type.String(), code: Type.Union([Type.String(), Type.Null()]) }),
        ),
      }),
    }),
    Type.Null(),
  ]),
  error: Type.Union([Type.Object({ code: Type.String(), message: Type.String() }), Type.Null()]),
});
export type Line = Static<typeof Line>;

export interface Provider {
  /** Each text, as often as the provider was asked for it. */
  readonly texts: string[];
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
}

/** @param before is awaited before each answer */
export function provider(
  before: (texts: readonly string[]) => Promise<Response | undefined> | undefined = () => undefined,
): Provider {
  const texts: string[] = [];
  return {
    texts,
    async fetch(_, { body }) {
      const { input } = Value.Parse(Asked, JSON.parse(String(body)));
      texts.push(...input);
      const other = await before(input);
      if (other) return other;
      return Response.json({
        data: input.map((text, index) => ({ index, embedding: vectorOf(text) })),
        usage: { prompt_tokens: input.length },
      });
    },
  };
}

export interface Batching extends AsyncDisposable {
  readonly open: OpenGateway;
  upload(text: string, headers?: Readonly<Record<string, string>>): Promise<Static<typeof FileObject>>;
  create(body: object, headers?: Readonly<Record<string, string>>): Promise<Static<typeof BatchObject>>;
  /** Once the batch has ended. */
  ended(id: string): Promise<Static<typeof BatchObject>>;
  lines(fileId: string | null): Promise<readonly Line[]>;
}

export async function openBatching(
  fetch: Provider["fetch"],
  yaml = YAML,
  outside: Parameters<typeof openGateway>[0]["outside"] = {},
): Promise<Batching> {
  const open = await openGateway({ readsFile: true, yaml, outside: { fetch, ...outside } });
  await open.gateway.batches?.runner.start(true);
  return { open, ...batchesOf(open), [Symbol.asyncDispose]: () => open[Symbol.asyncDispose]() };
}

/** The operations as a client calls them. */
export function batchesOf(open: OpenGateway): Omit<Batching, "open" | typeof Symbol.asyncDispose> {
  return {
    async upload(text, headers) {
      const form = new FormData();
      form.set("purpose", "batch");
      form.set("file", new Blob([text]), "in.jsonl");
      return Value.Parse(
        FileObject,
        (await open.send("/v1/files", { method: "POST", body: form, headers })).json,
      );
    },
    create: async (body, headers) =>
      Value.Parse(BatchObject, await good(sendJson(open, "/v1/batches", body, headers))),
    async ended(id) {
      for (;;) {
        const batch = Value.Parse(BatchObject, await good(open.send(`/v1/batches/${id}`)));
        if (["completed", "failed", "expired", "cancelled"].includes(batch.status)) return batch;
        await Bun.sleep(5);
      }
    },
    async lines(fileId) {
      const { text } = await open.send(`/v1/files/${fileId}/content`);
      return text
        .split("\n")
        .slice(0, -1)
        .map((line) => Value.Parse(Line, JSON.parse(line)));
    },
  };
}

export const sendJson = (
  open: OpenGateway,
  path: string,
  body: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<Sent> =>
  open.send(path, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(body),
  });

async function good(sent: Promise<Sent>): Promise<unknown> {
  const { status, text, json } = await sent;
  if (status !== 200) throw new Error(text);
  return json;
}

export const ENDPOINT = { endpoint: "/v1/embeddings", completion_window: "24h" } as const;

/** One line for each input, named by its position. */
export const inputOf = (inputs: readonly (string | readonly string[])[], model = "m"): string =>
  inputs
    .map((input, i) =>
      JSON.stringify({ custom_id: `c${i}`, method: "POST", url: ENDPOINT.endpoint, body: { model, input } }),
    )
    .join("\n");
