/**
 * Every way in which a vendor or the network can fail, and the kind of failure that the gateway must be told.
 * A new way is a row of REFUSALS or BROKEN; what only one vendor says stands in that plugin's own test.
 */
import { expect, test } from "bun:test";
import type { FailureKind } from "../../../src/plugin";
import { STARTED_AT } from "../../fake-outside";
import { answerThrough, routeTo } from "../../upstream/opened";
import { type Answer, brokenOff, connectionReset } from "./network";
import { callFor, failureOf, openSubject, type Subject, type Vendor } from "./subject";

const REFUSALS: readonly (readonly [status: number, kind: FailureKind])[] = [
  [400, "invalid"],
  [401, "unauthorized"],
  [402, "unauthorized"],
  [403, "unauthorized"],
  [404, "not_found"],
  [408, "unavailable"],
  [409, "unavailable"],
  [413, "invalid"],
  [422, "invalid"],
  [425, "unavailable"],
  [429, "overloaded"],
  [500, "unavailable"],
  [502, "unavailable"],
  [503, "unavailable"],
  [504, "unavailable"],
  [529, "unavailable"],
];

const RETRY_AFTER: readonly (readonly [words: string, headers: Record<string, string>, ms: number])[] = [
  ["seconds", { "retry-after": "7" }, 7_000],
  ["a date", { "retry-after": new Date(STARTED_AT + 30_000).toUTCString() }, 30_000],
  ["a date gone by", { "retry-after": new Date(STARTED_AT - 30_000).toUTCString() }, 0],
  ["milliseconds", { "retry-after-ms": "250", "retry-after": "1" }, 250],
];

const PAGE = "<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>";
const json = (body: string) => new Response(body, { headers: { "content-type": "application/json" } });

export function failsRight(subject: Subject, vendor: Vendor): void {
  const failureAfter = async (answer: Answer) => {
    const { upstream, network } = openSubject(subject);
    network.answer(answer);
    const failure = await failureOf(upstream.embed(callFor(subject, ["one", "two"])));
    return { failure, calls: network.requests.length };
  };

  test.each(REFUSALS)(
    "%d is the failure '%s', told in the vendor's words, asked once",
    async (status, kind) => {
      const words = "The vendor does not like this one.";
      const { failure, calls } = await failureAfter(() => new Response(vendor.errorBody(words), { status }));
      expect(failure.kind).toBe(kind);
      expect(failure.message).toContain(words);
      expect(failure.message).toContain(String(status));
      expect(calls).toBe(1);
    },
  );

  test.each(REFUSALS)("%d with a page instead of an error is the failure '%s' too", async (status, kind) => {
    const { failure } = await failureAfter(() => new Response(PAGE, { status }));
    expect(failure.kind).toBe(kind);
  });

  test.each(REFUSALS)("%d with nothing at all is the failure '%s' too", async (status, kind) => {
    const { failure } = await failureAfter(() => new Response("", { status }));
    expect(failure.kind).toBe(kind);
  });

  for (const [words, headers, ms] of RETRY_AFTER) {
    for (const status of [429, 503]) {
      test(`${status} that says when to come back, as ${words}, is told in milliseconds`, async () => {
        const { failure } = await failureAfter(
          () => new Response(vendor.errorBody("Later."), { status, headers }),
        );
        expect(failure.retryAfterMs).toBe(ms);
      });
    }
  }

  const right = () => [
    { index: 0, values: vendor.vectorOf("one") },
    { index: 1, values: vendor.vectorOf("two") },
  ];
  const BROKEN: readonly (readonly [string, FailureKind, Answer])[] = [
    ["a connection that breaks", "unavailable", connectionReset],
    [
      "a connection that breaks inside the answer",
      "unavailable",
      () => brokenOff(vendor.replyBody(right()).slice(0, 40)),
    ],
    ["half an answer", "malformed", () => json(vendor.replyBody(right()).slice(0, 40))],
    ["a page with 200", "malformed", () => new Response(PAGE, { headers: { "content-type": "text/html" } })],
    ["an empty body", "malformed", () => json("")],
    ["null", "malformed", () => json("null")],
    ["a number", "malformed", () => json("42")],
    ["an empty object", "malformed", () => json("{}")],
    ["bytes that are no UTF-8", "malformed", () => new Response(Uint8Array.of(0x7b, 0xff, 0xfe))],
    ["an error's envelope with 200", "malformed", () => json(vendor.errorBody("It broke inside."))],
  ];
  test.each(BROKEN)("%s is the failure '%s'", async (_, kind, answer) => {
    const { failure, calls } = await failureAfter(answer);
    expect(failure.kind).toBe(kind);
    expect(calls).toBe(1);
  });

  test("a redirect is not followed", async () => {
    const { failure, calls } = await failureAfter(
      () => new Response(null, { status: 307, headers: { location: "https://elsewhere.example/v1" } }),
    );
    expect(failure.kind).toBe("malformed");
    expect(calls).toBe(1);
  });

  // The plugin may refuse these or leave it to the gateway's proof: no vector may come of them.
  const unprovable: readonly (readonly [string, () => string])[] = [
    ["no vectors", () => vendor.replyBody([])],
    ["a vector too few", () => vendor.replyBody(right().slice(1))],
    [
      "a vector too many",
      () => vendor.replyBody([...right(), { index: 2, values: vendor.vectorOf("three") }]),
    ],
    [
      "a vector of zeros",
      () => vendor.replyBody(right().map(({ index, values }) => ({ index, values: values.map(() => 0) }))),
    ],
    [
      "vectors of two sizes",
      () => vendor.replyBody(right().map(({ index, values }) => ({ index, values: values.subarray(index) }))),
    ],
    [
      "a number that is none",
      () =>
        vendor.replyBody(
          right().map(({ index, values }) => ({ index, values: values.map(() => Number.NaN) })),
        ),
    ],
  ];
  test.each(unprovable)("a reply with %s ends as 'malformed' and never as an answer", async (_, body) => {
    const { upstream, network, clock } = openSubject(subject);
    network.answer(() => json(body()));
    const failure = await failureOf(
      answerThrough(routeTo(upstream, subject.model), ["one", "two"], clock.outside),
    );
    expect(failure.kind).toBe("malformed");
  });

  test.skipIf(!vendor.indexed)(
    "a reply in another order, with the indices that tell, is put right",
    async () => {
      const { upstream, network, clock } = openSubject(subject);
      network.answer(() => json(vendor.replyBody(right().reverse())));
      const { vectors } = await answerThrough(
        routeTo(upstream, subject.model),
        ["one", "two"],
        clock.outside,
      );
      expect(vectors).toEqual([vendor.vectorOf("one"), vendor.vectorOf("two")]);
    },
  );
}
