/**
 * The body of POST /v1/batches: OpenAI's, with an input file, or with the requests in the body, as some compatible APIs accept it. One schema
 * is both the check and part of the OpenAPI document.
 */
import { type Static, Type } from "@sinclair/typebox";
import { TypeCompiler } from "@sinclair/typebox/compiler";
import { explainBreach } from "../dialects/explain";
import { refuseControls } from "../domain/control-characters";
import { GatewayError } from "../domain/errors";
import { expiryOf, invalid } from "./files";
import { ENDPOINT, LINES_MAX, SHORT_ENDPOINT } from "./input";

const Metadata = Type.Record(Type.String({ maxLength: 64 }), Type.String({ maxLength: 512 }), {
  maxProperties: 16,
  description: "Up to 16 key-value pairs; the ledger stores them with each line.",
});

export const CreateBatch = Type.Object(
  {
    input_file_id: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 100 }), Type.Null()], {
        description: "Id of a file with the purpose `batch`, one request per line. Or send `requests`.",
      }),
    ),
    requests: Type.Optional(
      Type.Union(
        [
          Type.Array(
            Type.Object(
              { custom_id: Type.String(), body: Type.Object({}, { additionalProperties: true }) },
              { additionalProperties: true },
            ),
            { minItems: 1, maxItems: LINES_MAX },
          ),
          Type.Null(),
        ],
        {
          description:
            "The requests themselves, in the format of the file's lines, instead of `input_file_id`.",
        },
      ),
    ),
    model: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: 512 }), Type.Null()], {
        description: "Model of `requests` that do not name one.",
      }),
    ),
    endpoint: Type.Union([Type.Literal(ENDPOINT), Type.Literal(SHORT_ENDPOINT)], {
      description: "The endpoint of all requests; both are the same.",
    }),
    completion_window: Type.Optional(
      Type.Union([Type.Literal("24h"), Type.Null()], {
        description: "Time limit; requests not run by then expire.",
      }),
    ),
    metadata: Type.Optional(Type.Union([Metadata, Type.Null()])),
    output_expires_after: Type.Optional(
      Type.Union([
        Type.Object(
          {
            anchor: Type.Literal("created_at"),
            seconds: Type.Integer({ minimum: 3_600, maximum: 2_592_000 }),
          },
          { additionalProperties: false },
        ),
        Type.Null(),
      ]),
    ),
  },
  {
    additionalProperties: false,
    description: "`null` for an optional field means absent.",
    examples: [{ input_file_id: "file-0123", endpoint: ENDPOINT, completion_window: "24h" }],
  },
);

const check = TypeCompiler.Compile(CreateBatch);

export interface Asked {
  readonly input: { readonly fileId: string } | { readonly lines: readonly object[] };
  readonly metadata: Readonly<Record<string, string>> | null;
  readonly outputExpiresAfterMs: number | undefined;
  readonly idempotencyKey: string | undefined;
  /** A hash of the whole body, for idempotency. */
  readonly hash: string;
}

/** @throws GatewayError invalid, with the field's name */
export function askedOf(body: unknown, idempotencyKey: string | null): Asked {
  if (!check.Check(body)) {
    const { field, message } = explainBreach(check, body);
    throw new GatewayError("invalid", message, { field });
  }
  if (idempotencyKey !== null && !/^[\x21-\x7e]{1,255}$/.test(idempotencyKey))
    throw invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters.");
  for (const [name, value] of Object.entries(body.metadata ?? {})) {
    refuseControls("metadata", name);
    refuseControls("metadata", value);
  }
  const { output_expires_after: expires } = body;
  return {
    input: inputOf(body),
    metadata: body.metadata ?? null,
    outputExpiresAfterMs: expires ? expiryOf(expires.seconds, "output_expires_after.seconds") : undefined,
    idempotencyKey: idempotencyKey ?? undefined,
    hash: new Bun.CryptoHasher("sha256").update(JSON.stringify(body)).digest("hex"),
  };
}

function inputOf({ input_file_id, requests, model }: Static<typeof CreateBatch>): Asked["input"] {
  if (requests) {
    if (input_file_id)
      throw invalid("requests", "and 'input_file_id' cannot be used together: send one of them.");
    return { lines: requests.map((one) => (model ? { ...one, body: { model, ...one.body } } : one)) };
  }
  if (!input_file_id)
    throw invalid("input_file_id", "is missing: send the id of an uploaded file, or 'requests'.");
  if (model) throw invalid("model", "is only for 'requests': each line of a file names its own model.");
  return { fileId: input_file_id };
}
