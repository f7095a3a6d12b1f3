/**
 * Fingerprints in a file (`embedgate spaces export`, `space_fingerprints` in the routing file), so that they are deployed with the
 * configuration; and the built-in model's, which every gateway has. A new member of a fingerprint is a line of `CarriedFile`.
 */
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import type { Fingerprint } from "../domain/fingerprint";
import { PROBES, PROBES_VERSION } from "../domain/probes";

const closed = { additionalProperties: false } as const;

export const CarriedFile = Type.Object(
  {
    /** Version of the probe texts. */
    probes: Type.Integer({ minimum: 1 }),
    spaces: Type.Array(
      Type.Object(
        {
          space: Type.String({ minLength: 1, maxLength: 512 }),
          dimensions: Type.Integer({ minimum: 1, maximum: 1_000_000 }),
          provider: Type.String(),
          model: Type.String(),
          measured_at: Type.String(),
          confirmed: Type.Boolean(),
          /** Base64 of little-endian float32; null for a text that was refused. */
          vectors: Type.Array(Type.Union([Type.String(), Type.Null()])),
        },
        closed,
      ),
      { maxItems: 10_000 },
    ),
  },
  closed,
);
type CarriedFile = Static<typeof CarriedFile>;

export type Read =
  | { readonly ok: true; readonly fingerprints: readonly Fingerprint[] }
  | { readonly ok: false; readonly message: string };

/** @param text of the file */
export function readCarried(text: string, source: NonNullable<Fingerprint["source"]> = "carried"): Read {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return refused("is not JSON");
  }
  if (!Value.Check(CarriedFile, value)) {
    const first = Value.Errors(CarriedFile, value).First();
    return refused(`${first?.path || "/"}: ${first?.message ?? "is not valid"}`);
  }
  if (value.probes !== PROBES_VERSION) {
    return refused(
      `was measured with other probe texts (version ${value.probes}, this gateway uses ${PROBES_VERSION})`,
    );
  }
  const fingerprints: Fingerprint[] = [];
  for (const [i, one] of value.spaces.entries()) {
    const vectors = one.vectors.map((written) => (written === null ? undefined : vectorOf(written)));
    const sizes = vectors.every((vector) => vector === undefined || vector.length === one.dimensions);
    if (vectors.length !== PROBES.length || !sizes || vectors.every((vector) => vector === undefined))
      return refused(`/spaces/${i}/vectors: expected ${PROBES.length} vectors of ${one.dimensions} numbers`);
    if (!vectors.every((vector) => vector === undefined || isDirection(vector)))
      return refused(`/spaces/${i}/vectors: one holds a number that is not finite, or only zeros`);
    const measuredAt = Date.parse(one.measured_at);
    if (Number.isNaN(measuredAt)) return refused(`/spaces/${i}/measured_at: expected an ISO 8601 time`);
    if (fingerprints.some(({ space }) => space === one.space))
      return refused(`/spaces/${i}/space: '${one.space}' is listed twice`);
    const { space, dimensions, provider, model, confirmed } = one;
    fingerprints.push({
      space,
      dimensions,
      provider,
      model,
      confirmed,
      measuredAt,
      paidAt: null,
      vectors,
      source,
    });
  }
  return { ok: true, fingerprints };
}

const refused = (message: string): Read => ({
  ok: false,
  message: `${message}; expected what 'embedgate spaces export' prints`,
});

/** @param written base64 of little-endian float32 */
export function vectorOf(written: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(written, "base64"));
  // Bytes that are not whole numbers give none, which does not match the dimensions.
  return bytes.length % 4 === 0 ? new Float32Array(bytes.buffer) : new Float32Array();
}

/** Nothing could be compared, and every route would stay out of service. */
function isDirection(vector: Float32Array): boolean {
  return vector.every((number) => Number.isFinite(number)) && vector.some((number) => number !== 0);
}

/** A fingerprint as JSON, without its vectors. */
export const headOf = ({ space, dimensions, provider, model, measuredAt, confirmed }: Fingerprint) => ({
  space,
  dimensions,
  provider,
  model,
  measured_at: new Date(measuredAt).toISOString(),
  confirmed,
});

export function writeCarried(fingerprints: readonly Fingerprint[]): string {
  const file: CarriedFile = {
    probes: PROBES_VERSION,
    spaces: fingerprints.map((fingerprint) => ({
      ...headOf(fingerprint),
      vectors: fingerprint.vectors.map((vector) => (vector ? base64Of(vector) : null)),
    })),
  };
  return JSON.stringify(file, null, 1);
}

const base64Of = ({ buffer, byteOffset, byteLength }: Float32Array) =>
  Buffer.from(buffer, byteOffset, byteLength).toString("base64");
