/**
 * The quality of an endpoint's vectors: a few requests whose answers are compared, before a load and after it.
 * A new check is a function and its line in `probe`; src/bench/answer.ts checks single answers.
 */
import { cosineOf } from "../domain/cosine";
import type { Outside } from "../domain/outside";
import { type Answer, isBitEqual } from "./answer";
import { type Asked, type Endpoint, isFailure } from "./endpoint";
import { type Check, type Judge, right, skipped, wrong } from "./judge";
import { bodyOf, type Encoding, type Wanted } from "./request";

/** Two vectors of one text reach this if only rounding differs; vectors of two texts do not. */
const SAME_COSINE_MIN = 0.999;

/** On different subjects, so that no two have the same vector. */
const PROBES = [
  "The harbour was empty when the storm came in.",
  "Two spoons of sugar are enough for this dough.",
  "Interest rates rose by a quarter of a point.",
  "A violin has four strings, tuned in fifths.",
  "The compiler could not infer the type of that variable.",
  "Penguins keep their eggs warm on their feet.",
  "Her passport had expired the week before the flight.",
  "Granite forms deep below the ground, where magma cools slowly.",
] as const;

/** The most requests that `probe` sends, so that the user knows the cost. */
export const PROBE_COST = { requests: PROBES.length + 4, tokens: (2 * PROBES.length + 3) * 18 } as const;

export interface Probed {
  readonly checks: readonly Check[];
  /** The median latency of requests with one text: an estimate for the load. */
  readonly took_ms: number;
  /** False if not even one text was answered. */
  readonly answers: boolean;
}

type Probe = Pick<Wanted, "model" | "encoding" | "dimensions">;

/** @param run a number that no other run has, so that nothing is found in a cache unless this run stored it */
export async function probe(
  endpoint: Endpoint,
  wanted: Probe,
  run: number,
  judge: Judge,
  outside: Pick<Outside, "sleep">,
): Promise<Probed> {
  const texts = PROBES.map((text) => `${text} (${run})`);
  const times_ms: number[] = [];

  async function ask(input: string | readonly string[], more: Partial<Probe> = {}): Promise<Asked["result"]> {
    const inputs = typeof input === "string" ? 1 : input.length;
    const asked = await askPatiently(
      endpoint,
      Buffer.from(bodyOf(input, { ...wanted, ...more })),
      inputs,
      outside,
    );
    if (!isFailure(asked.result) && typeof input === "string") times_ms.push(asked.took_ms);
    return asked.result;
  }
  async function see(input: string | readonly string[]): Promise<Asked["result"]> {
    const result = await ask(input);
    if (!isFailure(result)) judge.see(result);
    return result;
  }

  const [text = "", ...others] = texts;
  const first = await see(text);
  if (isFailure(first))
    return {
      checks: [wrong("it answers one text", `${first.kind}: ${first.message}`)],
      took_ms: 0,
      answers: false,
    };
  const batch = await see(texts);
  const again = await see(text);
  const alone = [vectorOf(first), ...(await inTurn(others, async (other) => vectorOf(await see(other))))];
  const other: Encoding = wanted.encoding === "float" ? "base64" : "float";
  const checks = [
    twiceCheck(vectorOf(first), again),
    batchCheck(alone, batch),
    encodingCheck(wanted.encoding, first, other, await ask(text, { encoding: other })),
    ...charactersCheck([text], first, texts, batch),
    await dimensionsCheck(wanted.dimensions, vectorOf(first), (dimensions) => ask(text, { dimensions })),
  ];
  const sorted = times_ms.sort((a, b) => a - b);
  return { checks, took_ms: sorted[Math.floor(sorted.length / 2)] ?? 0, answers: true };
}

/** Texts of a load and their vectors, requested again one by one. */
export async function recheck(
  endpoint: Endpoint,
  wanted: Probe,
  given: readonly { readonly text: string; readonly vector: Float32Array }[],
  outside: Pick<Outside, "sleep">,
): Promise<Check> {
  const says = "vectors under load equal those of the same texts sent alone";
  if (given.length === 0) return skipped(says, "no request under load got a valid answer");
  const alone = await inTurn(given, async ({ text }) =>
    vectorOf((await askPatiently(endpoint, Buffer.from(bodyOf(text, wanted)), 1, outside)).result),
  );
  return comparison(
    says,
    alone,
    given.map(({ vector }) => vector),
  );
}

const LIMITED_ATTEMPTS = 4;
const REST_MS_MAX = 60_000;

/** Pauses and asks again if the endpoint wants that, within limits. */
async function askPatiently(
  endpoint: Endpoint,
  body: Uint8Array<ArrayBuffer>,
  inputs: number,
  { sleep }: Pick<Outside, "sleep">,
): Promise<Asked> {
  for (let attempt = 1; ; attempt += 1) {
    const asked = await endpoint.ask(body, inputs);
    const rest_ms =
      isFailure(asked.result) && asked.result.kind !== "no answer" ? asked.result.rest_ms : undefined;
    if (rest_ms === undefined || rest_ms > REST_MS_MAX || attempt === LIMITED_ATTEMPTS) return asked;
    await sleep(rest_ms);
  }
}

/** One after another: the checks are not a load. */
async function inTurn<From, To>(all: readonly From[], work: (one: From) => Promise<To>): Promise<To[]> {
  const done: To[] = [];
  for (const one of all) done.push(await work(one));
  return done;
}

/** undefined if there is no answer, or none that can be compared. */
function vectorOf(result: Asked["result"]): Float32Array | undefined {
  return isFailure(result) || result.faults.size > 0 ? undefined : result.vectors[0];
}

const UNUSABLE = "there was no valid vector to compare";

function twiceCheck(first: Float32Array | undefined, again: Asked["result"]): Check {
  const says = "the same text twice gives the same vector";
  const second = vectorOf(again);
  if (!first || !second)
    return skipped(says, isFailure(again) ? `${again.kind}: ${again.message}` : UNUSABLE);
  const cosine = cosineOrNaN(first, second);
  if (!(cosine >= SAME_COSINE_MIN)) return wrong(says, `their cosine is ${written(cosine)}`);
  return right(
    says,
    isBitEqual(first, second) ? "bit for bit" : `cosine ${written(cosine)}, not bit for bit`,
  );
}

function batchCheck(alone: readonly (Float32Array | undefined)[], batch: Asked["result"]): Check {
  const says = `${PROBES.length} texts in one request get the same vectors as alone`;
  if (isFailure(batch)) return skipped(says, `${batch.kind}: ${batch.message}`);
  return comparison(says, alone, batch.faults.size > 0 ? [] : batch.vectors);
}

/** Compares with each text's vector from a request of its own, and reports if a text got another's. */
function comparison(
  says: string,
  alone: readonly (Float32Array | undefined)[],
  together: readonly Float32Array[],
): Check {
  let least = 1;
  for (const [text, own] of alone.entries()) {
    const vector = together[text];
    if (!own || !vector) return skipped(says, UNUSABLE);
    const cosine = cosineOrNaN(own, vector);
    if (cosine >= SAME_COSINE_MIN) {
      least = Math.min(least, cosine);
      continue;
    }
    const owner = alone.findIndex((other) => other && cosineOrNaN(other, vector) >= SAME_COSINE_MIN);
    const whose = owner === -1 ? "" : `: it is that of text ${owner}`;
    return wrong(says, `text ${text}'s has a cosine of ${written(cosine)} with its own${whose}`);
  }
  return right(says, `lowest cosine ${written(least)}`);
}

function encodingCheck(asked: Encoding, first: Answer, other: Encoding, second: Asked["result"]): Check {
  const says = "base64 and float encodings agree";
  if (first.encoding !== asked)
    return wrong(says, `asked for ${asked} it answers ${first.encoding}, which some SDKs misread`);
  if (isFailure(second)) return skipped(says, `it has no ${other}: ${second.kind}: ${second.message}`);
  if (second.encoding !== other)
    return wrong(says, `asked for ${other} it answers ${second.encoding}, which some SDKs misread`);
  const [one, two] = [vectorOf(first), vectorOf(second)];
  if (!one || !two) return skipped(says, UNUSABLE);
  const cosine = cosineOrNaN(one, two);
  if (!(cosine >= SAME_COSINE_MIN)) return wrong(says, `their cosine is ${written(cosine)}`);
  return right(says, isBitEqual(one, two) ? "bit for bit" : `cosine ${written(cosine)}, not bit for bit`);
}

/** For ordinary text no vocabulary has as many tokens as characters; infinity-emb 0.0.78 counts characters by default. */
function charactersCheck(
  one: readonly string[],
  first: Answer,
  all: readonly string[],
  batch: Asked["result"],
): readonly Check[] {
  const seen = [{ texts: one, tokens: first.tokens }];
  if (!isFailure(batch)) seen.push({ texts: all, tokens: batch.tokens });
  const characters = (texts: readonly string[]) => texts.reduce((sum, text) => sum + [...text].length, 0);
  if (!seen.every(({ texts, tokens }) => tokens === characters(texts))) return [];
  const words = `it counts characters: ${first.tokens} for a text of ${characters(one)}`;
  return [wrong("usage counts tokens", words)];
}

/** @param ask tries optional dimensions: the outcome is reported, but is not an error */
async function dimensionsCheck(
  asked: number | undefined,
  first: Float32Array | undefined,
  ask: (dimensions: number) => Promise<Asked["result"]>,
): Promise<Check> {
  const says = "dimensions are as requested";
  if (!first) return skipped(says, UNUSABLE);
  if (asked !== undefined)
    return first.length === asked
      ? right(says, `${asked}`)
      : wrong(says, `asked for ${asked} it answers ${first.length}`);
  const half = Math.floor(first.length / 2);
  if (half === 0) return skipped(says, "there is no smaller size");
  const result = await ask(half);
  if (isFailure(result)) return right(says, `other sizes are refused: ${result.kind}: ${result.message}`);
  const length = vectorOf(result)?.length;
  if (length === undefined) return skipped(says, UNUSABLE);
  if (length === half) return right(says, `${half} as well as ${first.length}`);
  return skipped(says, `none were asked for; for ${half} it silently answers ${length}`);
}

/** NaN, which is below every limit, if the vectors cannot be compared. */
const cosineOrNaN = (one: Float32Array, other: Float32Array) => cosineOf(one, other) ?? Number.NaN;

/** Enough digits to see how far it is from 1. */
const written = (cosine: number): string => (Number.isNaN(cosine) ? "none" : cosine.toFixed(7));
