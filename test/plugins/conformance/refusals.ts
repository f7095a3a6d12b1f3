/**
 * How a plugin reads refusals, as tables: calls that its fake refuses, and bodies that were really seen from the vendor.
 * A row says what it is, and its source; a vendor with more refusals has tests of its own.
 */
import { expect, test } from "bun:test";
import type { EmbedCall } from "../../../src/plugin";
import { callFor, failureOf, openSubject, type Subject } from "./subject";

/** A call that the fake refuses, the expected kind of error, and the named input, if there is one. */
export type Refused = readonly [
  what: string,
  call: Partial<EmbedCall>,
  kind: string,
  input: number | undefined,
];

export function expectRefused(subject: Subject, rows: readonly Refused[]): void {
  test.each(rows)("%s is refused", async (_, call, kind, input) => {
    const { upstream } = openSubject(subject);
    const failure = await failureOf(upstream.embed(callFor(subject, ["one"], call)));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.input).toBe(input);
  });
}

/** A body as the vendor sends it with a status, the expected kind of error, and words that must be passed on. */
export type Seen = readonly [what: string, status: number, body: unknown, kind: string, words: string];

/** @param inputs of the call with this answer */
export function expectTold(
  subject: Subject,
  rows: readonly Seen[],
  inputs: readonly string[] = ["one", "two"],
): void {
  test.each(rows)("%s becomes the right kind of error", async (_, status, body, kind, words) => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json(body, { status }));
    const failure = await failureOf(upstream.embed(callFor(subject, inputs)));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.message).toContain(words);
  });
}
