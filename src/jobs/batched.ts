/**
 * Embeds through the Batch API of another gateway (`--via batch`): each chunk is a batch. An embedgate gateway treats a chunk that is sent again, by
 * this run or a later one, as the same batch (Idempotency-Key): nothing is paid twice, not even what was in flight.
 */
import { type Static, type TSchema, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { GatewayError } from "../domain/errors";
import type { Fetched, Outside } from "../domain/outside";
import { estimatedTokens } from "../tokens/count";
import type { Asked, Sender, Sent } from "./sender";
import { type Client, parsed, textOf } from "./through";

const nullable = <Schema extends TSchema>(schema: Schema) => Type.Optional(Type.Union([schema, Type.Null()]));

const Batch = Type.Object({
  id: Type.String(),
  status: Type.String(),
  output_file_id: nullable(Type.String()),
  error_file_id: nullable(Type.String()),
  errors: nullable(Type.Object({ data: nullable(Type.Array(Type.Object({ message: Type.String() }))) })),
});
type Batch = Static<typeof Batch>;

const Line = Type.Object({
  custom_id: Type.String(),
  response: nullable(
    Type.Object({
      body: Type.Object({
        data: Type.Optional(Type.Array(Type.Object({ embedding: Type.String() }))),
        usage: Type.Optional(Type.Object({ prompt_tokens: Type.Optional(Type.Integer({ minimum: 0 })) })),
        error: Type.Optional(Type.Object({ message: Type.String() })),
      }),
    }),
  ),
  error: nullable(Type.Object({ message: Type.String() })),
});

const POLL_MS_MIN = 500;
const POLL_MS_MAX = 30_000;
const ENDED = ["completed", "failed", "expired", "cancelled"];
/** How often a batch that expired or was cancelled is created again. */
const ATTEMPTS_MAX = 3;

export function openBatched(
  plain: Sender,
  { send, headers, failureOf }: Client,
  asked: Asked,
  { sleep }: Pick<Outside, "sleep">,
): Sender {
  async function good(response: Fetched): Promise<Fetched> {
    if (response.status !== 200) throw await failureOf(response);
    return response;
  }
  async function read<Schema extends TSchema>(
    schema: Schema,
    response: Promise<Fetched>,
  ): Promise<Static<Schema>> {
    const value = parsed(await textOf(await good(await response)));
    if (Value.Check(schema, value)) return value;
    throw new GatewayError("malformed", `${plain.through} answered 200 with an unexpected body.`);
  }
  const get = (path: string) => send(path, { method: "GET", headers });
  const post = (path: string, body: object, more: Readonly<Record<string, string>> = {}) =>
    send(path, { method: "POST", headers: { ...headers, ...more }, body: JSON.stringify(body) });

  /** Only embedgate gateways accept the requests in the body. */
  async function create(lines: readonly object[], idempotencyKey: string): Promise<Batch> {
    const about = { endpoint: "/v1/embeddings", completion_window: "24h" };
    const key = { "idempotency-key": idempotencyKey };
    if (await isOurs()) return read(Batch, post("/batches", { ...about, requests: lines }, key));
    const boundary = idempotencyKey;
    const part = (said: string, content: string) =>
      `--${boundary}\r\ncontent-disposition: form-data; ${said}\r\n\r\n${content}\r\n`;
    const content = lines.map((line) => JSON.stringify(line)).join("\n");
    const body = `${part('name="purpose"', "batch")}${part('name="file"; filename="texts.jsonl"', content)}--${boundary}--\r\n`;
    const form = { ...headers, "content-type": `multipart/form-data; boundary=${boundary}` };
    const file = await read(
      Type.Object({ id: Type.String() }),
      send("/files", { method: "POST", headers: form, body }),
    );
    return read(Batch, post("/batches", { ...about, input_file_id: file.id }, key));
  }

  let space: Promise<string | undefined> | undefined;
  /** The embedding space of the model's vectors: only embedgate gateways report it. */
  async function spaceThere(): Promise<string | undefined> {
    const found = parsed(await textOf(await get(`/models/${encodeURIComponent(asked.model)}`)));
    const Model = Type.Object({ embedding_space: Type.Union([Type.String(), Type.Null()]) });
    return Value.Check(Model, found) ? (found.embedding_space ?? "") : undefined;
  }
  const isOurs = async () => {
    space ??= spaceThere();
    return (await space) !== undefined;
  };

  async function untilEnded(created: Batch): Promise<Batch> {
    let batch = created;
    for (let pause = POLL_MS_MIN; !ENDED.includes(batch.status); pause = Math.min(POLL_MS_MAX, pause * 1.5)) {
      await sleep(pause);
      batch = await read(Batch, get(`/batches/${encodeURIComponent(batch.id)}`));
    }
    return batch;
  }

  async function resultsOf(
    { output_file_id, error_file_id }: Batch,
    texts: readonly string[],
  ): Promise<Sent> {
    const vectors: (Float32Array | string | undefined)[] = texts.map(() => undefined);
    let tokens = 0;
    for (const id of [output_file_id, error_file_id]) {
      if (!id) continue;
      const content = await textOf(await good(await get(`/files/${encodeURIComponent(id)}/content`)));
      for (const text of content.split("\n")) {
        if (text === "") continue;
        const line = parsed(text);
        if (!Value.Check(Line, line))
          throw new GatewayError("malformed", "A line of the results cannot be read.");
        const place = Number(line.custom_id);
        if (vectors[place] !== undefined || place >= texts.length)
          throw new GatewayError("malformed", `The results have an unexpected line "${line.custom_id}".`);
        const { data = [], usage, error } = line.response?.body ?? {};
        const [first] = data;
        vectors[place] = first
          ? vectorOf(first.embedding)
          : ((error ?? line.error)?.message ?? "it was not embedded");
        if (first) tokens += usage?.prompt_tokens ?? estimatedTokens([texts[place] ?? ""]);
      }
    }
    if (vectors.some((one) => one === undefined))
      throw new GatewayError("malformed", "The results of the batch lack some of its lines.");
    return {
      vectors: vectors.map((one) => one ?? ""),
      tokens,
      tokensBilled: tokens,
      truncated: 0,
      space: (await spaceThere()) ?? "",
      ignored: undefined,
    };
  }

  return {
    ...plain,
    through: `${plain.through} (batches)`,
    async embed(texts) {
      const body = {
        model: asked.model,
        encoding_format: "base64",
        ...(asked.dimensions !== undefined && { dimensions: asked.dimensions }),
        ...asked.fields,
      };
      const lines = texts.map((input, place) => ({
        custom_id: String(place),
        method: "POST",
        url: "/v1/embeddings",
        body: { ...body, input },
      }));
      const hash = new Bun.CryptoHasher("sha256").update(JSON.stringify(lines)).digest("hex");
      for (let attempt = 1; attempt <= ATTEMPTS_MAX; attempt++) {
        const batch = await untilEnded(await create(lines, `embed-${hash}-${attempt}`));
        if (batch.status === "completed") return resultsOf(batch, texts);
        if (batch.status === "failed")
          throw new GatewayError(
            "forbidden",
            `The batch was refused: ${batch.errors?.data?.[0]?.message ?? "no reason given"}`,
          );
      }
      throw new GatewayError("forbidden", `A batch expired or was cancelled ${ATTEMPTS_MAX} times.`);
    },
  };
}

function vectorOf(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  if (bytes.length === 0 || bytes.length % 4 !== 0)
    throw new GatewayError("malformed", "A vector is not float32.");
  const vector = new Float32Array(bytes.buffer);
  if (!vector.every(Number.isFinite))
    throw new GatewayError("malformed", "A number of a vector is not finite.");
  return vector;
}
