/**
 * What a plugin makes of refusals, as tables: calls that its fake refuses, and bodies that were seen of the vendor itself.
 * A row says what it is, and where it was seen; a vendor whose refusals say more has tests of its own beside.
 */
import { expect, test } from "bun:test";
import type { EmbedCall } from "../../../src/plugin";
import { callFor, failureOf, openSubject, type Subject } from "./subject";

/** A call that the fake refuses, the kind that this is, and the input that is named, if one is. */
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

/** A body as the vendor answers it with a status, the kind that this is, and words of it that are handed on. */
export type Seen = readonly [what: string, status: number, body: unknown, kind: string, words: string];

/** @param inputs of the call that is so answered */
export function expectTold(
  subject: Subject,
  rows: readonly Seen[],
  inputs: readonly string[] = ["one", "two"],
): void {
  test.each(rows)("%s is told as what it is", async (_, status, body, kind, words) => {
    const { upstream, network } = openSubject(subject);
    network.answer(() => Response.json(body, { status }));
    const failure = await failureOf(upstream.embed(callFor(subject, inputs)));
    expect<string>(failure.kind).toBe(kind);
    expect(failure.message).toContain(words);
  });
}
