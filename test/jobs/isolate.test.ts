/** A chunk's calls: what is retried and when, which texts are left out, and what ends the job. */
import { describe, expect, test } from "bun:test";
import { type ErrorKind, GatewayError } from "../../src/domain/errors";
import { isolate } from "../../src/jobs/isolate";
import type { Sent } from "../../src/jobs/sender";
import { fakeOutside, STARTED_AT } from "../fake-outside";

const TEXTS = Array.from({ length: 9 }, (_, place) => `text ${place}`);

/** @param answer the result of the n-th call; undefined is a good answer */
async function isolated(answer: (texts: readonly string[], call: number) => GatewayError | undefined) {
  const world = fakeOutside();
  const calls: (readonly string[])[] = [];
  const times: number[] = [];
  const stop = new AbortController();
  const sender = {
    async embed(texts: readonly string[]): Promise<Sent> {
      calls.push(texts);
      times.push(world.outside.now() - STARTED_AT);
      const error = answer(texts, calls.length);
      if (error) throw error;
      const vectors = texts.map((text) => Float32Array.of(Number(text.slice(5))));
      const tokens = texts.length;
      return { vectors, tokens, tokensBilled: tokens, truncated: 0, space: "s", ignored: undefined };
    },
  };
  const pauses: number[] = [];
  const work = isolate(sender, TEXTS, undefined, {
    outside: world.outside,
    stop: stop.signal,
    pausing: (_, ms) => pauses.push(ms),
  });
  const result = await world.until(work.catch((thrown: unknown) => thrown));
  return { result, calls, pauses, times };
}

const failure = (kind: ErrorKind, about = {}) => new GatewayError(kind, `it is ${kind}`, about);
const outcomesOf = (result: unknown) =>
  result instanceof Error || typeof result !== "object" || result === null
    ? result
    : Reflect.get(result, "outcomes");
const good = (place: number) => Float32Array.of(place);

describe("isolate", () => {
  test("a text that the error names goes alone; the others are sent once more", async () => {
    const { result, calls } = await isolated((texts) => {
      const input = texts.indexOf("text 4");
      return input === -1 ? undefined : failure("input_too_long", { input, field: `input[${input}]` });
    });
    expect(outcomesOf(result)).toEqual(
      TEXTS.map((_, place) => (place === 4 ? "it is input_too_long" : good(place))),
    );
    expect(calls.map(({ length }) => length)).toEqual([9, 8]);
  });

  test("a text that the error does not name is found by halves", async () => {
    const { result } = await isolated((texts) => (texts.includes("text 6") ? failure("invalid") : undefined));
    expect(outcomesOf(result)).toEqual(
      TEXTS.map((_, place) => (place === 6 ? "it is invalid" : good(place))),
    );
  });

  test("an error of the request, or of the account, ends the job", async () => {
    for (const error of [
      failure("invalid", { field: "input_type" }),
      failure("unsupported_dimensions", { field: "dimensions" }),
      failure("insufficient_credit"),
      failure("unknown_model"),
      failure("unauthorized"),
      failure("space_mismatch"),
    ]) {
      const { result, calls } = await isolated(() => error);
      expect([result, calls.length]).toEqual([error, 1]);
    }
  });

  test("outages are retried with exponential backoff, or after Retry-After", async () => {
    const { result, pauses } = await isolated((_, call) => {
      if (call === 1) return failure("rate_limited", { retryAfterMs: 7_000 });
      return call < 5 ? failure("unavailable") : undefined;
    });
    expect(outcomesOf(result)).toEqual(TEXTS.map((_, place) => good(place)));
    expect(pauses[0]).toBe(7_000);
    for (const [at, most] of [2_000, 4_000, 8_000].entries()) {
      expect(pauses[at + 1]).toBeGreaterThanOrEqual(most / 2);
      expect(pauses[at + 1]).toBeLessThanOrEqual(most);
    }
  });

  test("an outage that does not end, ends the job", async () => {
    const { result, calls, times } = await isolated(() => failure("overloaded"));
    expect([result instanceof GatewayError && result.kind, calls.length]).toEqual(["overloaded", 13]);
    expect(times.at(-1)).toBeLessThan(9 * 60_000);
  });
});
