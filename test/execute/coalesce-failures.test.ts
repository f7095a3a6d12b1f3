/**
 * A coalesced call that fails, or that one of its requests stops waiting for: each request has its own error and its own end.
 * A new way to fail is a test here; poison.test.ts has the search for an input at fault within one request.
 */
import { describe, expect, test } from "bun:test";
import { GatewayError } from "../../src/domain/errors";
import { joinableCalls } from "../../src/execute/coalesce";
import type { EmbedCall } from "../../src/plugin";
import { failureOf } from "../plugins/conformance/subject";
import { ask, askAll, opened, sizes, texts, WINDOW_MS } from "./coalescing";
import { runUnder } from "./opened";

/** A provider that refuses a call because of one of its texts, and quotes that text. */
const refusing =
  (kind: "invalid" | "input_too_long" | "too_many_tokens", poison: string) => (call: EmbedCall) => {
    if (call.inputs.includes(poison))
      throw new GatewayError(kind, `I do not like "${poison}".`, { upstreamStatus: 400 });
  };

describe("a call that fails", () => {
  test.each(["invalid", "input_too_long", "too_many_tokens"] as const)(
    "as %s over one text is sent again text by text: only that one's request fails, and only it is told why",
    async (kind) => {
      const open = opened({ before: refusing(kind, "poison") });
      const runs = texts(4).map(() => runUnder());
      const inputs = ["one", "poison", "two", "three"];
      const asked = inputs.map((text, i) => ask(open, text, { run: runs[i] ?? {} }));
      const [one, poison, two, three] = await open.clock.until(Promise.allSettled(asked));
      expect([one, two, three].map((outcome) => outcome?.status)).toEqual(Array(3).fill("fulfilled"));
      expect(poison).toMatchObject({
        status: "rejected",
        reason: { kind, message: 'I do not like "poison".' },
      });
      expect(sizes(open)).toEqual([4, 1, 1, 1, 1]);
      expect(open.callTimes).toEqual(Array(5).fill(WINDOW_MS));
    },
  );

  test("because one text's vector is invalid is sent again text by text", async () => {
    const open = opened({
      spoil: (reply, { inputs }) => ({
        ...reply,
        vectors: reply.vectors.map((vector) =>
          inputs[vector.index] === "poison" ? { ...vector, values: new Float32Array(16) } : vector,
        ),
      }),
    });
    const asked = askAll(open, ["one", "poison", "two"]);
    const outcomes = await open.clock.until(Promise.allSettled(asked));
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
    expect(open.timesSent("one")).toBe(2);
  });

  test("because of the provider fails each request, without a message that may be about another's text", async () => {
    const open = opened({
      provider: { retries: 0 },
      before: ({ inputs }) => {
        throw new GatewayError("unavailable", `No power to embed ${inputs.join()}.`, { upstreamStatus: 503 });
      },
    });
    const failures = await open.clock.until(Promise.all(askAll(open, ["my secret", "yours"]).map(failureOf)));
    expect(sizes(open)).toEqual([2]);
    for (const { kind, message, upstreamStatus, cause } of failures) {
      expect([kind, upstreamStatus, cause]).toEqual(["unavailable", 503, undefined]);
      expect(message).not.toContain("secret");
      expect(message).not.toContain("power");
    }
    expect(JSON.stringify(open.clock.logs)).toContain("No power");
  });

  test("counts once for the circuit breaker, however many requests shared it", async () => {
    const open = opened({ model: "fake-down", provider: { retries: 0 } });
    for (let calls = 1; calls <= 5; calls++) {
      expect(open.target.provider.healthOf("fake-down").breaker.isClosed()).toBe(true);
      await open.clock.until(Promise.all(askAll(open, texts(4)).map(failureOf)));
      expect(open.calls).toHaveLength(calls);
    }
    expect(open.target.provider.healthOf("fake-down").breaker.isClosed()).toBe(false);
    await open.clock.until(Promise.all(askAll(open, texts(3)).map(failureOf)));
    // The call that tests the provider again is not shared.
    expect(sizes(open).slice(5)).toEqual([1, 1, 1]);
  });

  test("with only one input is not shared when it is retried: nobody else fails with it", async () => {
    const open = opened({
      provider: { retries: 3 },
      windowMs: 1_000,
      before: ({ inputs }) => {
        if (inputs.includes("bomb")) throw new GatewayError("unavailable", "Ouch.", { upstreamStatus: 500 });
      },
    });
    const bomb = failureOf(ask(open, "bomb"));
    await open.clock.advance(1_000);
    const others = askAll(open, texts(2));
    await open.clock.until(Promise.all([bomb, ...others]));
    expect(open.calls.map(({ inputs }) => inputs.join()).sort()).toEqual(
      ["bomb", "bomb", "bomb", "bomb", texts(2).join()].sort(),
    );
  });

  test("is one attempt of each request: after any failure but too many calls, a request goes alone", async () => {
    const open = opened({
      provider: { retries: 3 },
      before: () => {
        if (open.calls.length === 1) throw new GatewayError("unavailable", "Down.", { upstreamStatus: 503 });
      },
    });
    await open.clock.until(Promise.all(askAll(open, texts(3))));
    expect(sizes(open)).toEqual([3, 1, 1, 1]);
  });

  test("for too many calls is retried in few calls, when the provider says", async () => {
    const open = opened({
      provider: { retries: 3 },
      windowMs: 1_000,
      before: () => {
        if (open.calls.length === 1)
          throw new GatewayError("overloaded", "Slow down.", { upstreamStatus: 429, retryAfterMs: 5_000 });
      },
    });
    await open.clock.until(Promise.all(askAll(open, texts(5))));
    expect(sizes(open)).toEqual([5, 5]);
    expect(open.callTimes[1]).toBeGreaterThanOrEqual(6_000);
  });

  test("takes no longer than one attempt may", async () => {
    const open = opened({ model: "fake-stuck", provider: { retries: 0, timeoutMs: 700 } });
    const failures = await open.clock.until(Promise.all(askAll(open, texts(3)).map(failureOf)));
    expect(failures.map(({ kind }) => kind)).toEqual(["timeout", "timeout", "timeout"]);
    expect(open.clock.outside.monotonic()).toBe(WINDOW_MS + 700);
    expect(open.clock.sleeping()).toEqual([]);
  });

  test.each(["short", "long", "duplicate", "misplaced", "narrow"])(
    "its proof (%s) is answered to nobody",
    async (fault) => {
      const open = opened({ model: `fake-${fault}`, provider: { retries: 0 } });
      const failures = await open.clock.until(Promise.all(askAll(open, texts(3)).map(failureOf)));
      expect(failures.map(({ kind }) => kind)).toEqual(["malformed", "malformed", "malformed"]);
      expect(sizes(open)[0]).toBe(3);
    },
  );

  test("gives no request more calls than it may make", async () => {
    const open = opened({ provider: { retries: 10 }, before: refusing("invalid", "poison") });
    const down = opened({
      provider: { retries: 10 },
      before: ({ inputs }) => {
        if (inputs.length > 1) throw new GatewayError("invalid", "No.", { upstreamStatus: 400 });
        throw new GatewayError("unavailable", "Down.", { upstreamStatus: 503 });
      },
    });
    await open.clock.until(Promise.allSettled(askAll(open, ["a", "poison"])));
    expect(open.timesSent("a")).toBe(2);
    await down.clock.until(Promise.allSettled(askAll(down, ["a", "b"])));
    expect([down.timesSent("a"), down.timesSent("b")]).toEqual([4, 4]);
  });
});

describe("a client that goes away", () => {
  const gone = new GatewayError("cancelled", "Gone.");

  test("before the call is sent is not in it", async () => {
    const open = opened();
    const client = new AbortController();
    const left = failureOf(ask(open, "left", { run: { signal: client.signal } }));
    const stays = askAll(open, ["one", "two"]);
    await open.clock.advance(1);
    client.abort(gone);
    expect((await left).kind).toBe("cancelled");
    await open.clock.until(Promise.all(stays));
    expect(open.calls.map(({ inputs }) => inputs)).toEqual([["one", "two"]]);
  });

  test("while the call is in flight ends at once, and the others are answered; it pays its own share", async () => {
    const open = opened({ before: (call, host) => host.sleep(100, call.signal) });
    const client = new AbortController();
    const runs = [runUnder(client.signal), runUnder()];
    const left = failureOf(ask(open, "three short words", { run: runs[0] ?? {} }));
    const stays = ask(open, "three short words", { run: runs[1] ?? {} });
    await open.clock.advance(WINDOW_MS + 10);
    client.abort(gone);
    expect((await left).kind).toBe("cancelled");
    expect(open.calls[0]?.signal.aborted).toBe(false);
    expect((await open.clock.until(stays)).tokens).toBe(3);
    expect(runs.map(({ tally }) => tally.tokens)).toEqual([3, 3]);
  });

  test("cancels the call only if it is the last", async () => {
    const open = opened({ before: (call, host) => host.sleep(100, call.signal) });
    const clients = [new AbortController(), new AbortController()];
    const left = clients.map(({ signal }, i) => failureOf(ask(open, `text ${i}`, { run: { signal } })));
    await open.clock.advance(WINDOW_MS + 10);
    clients[0]?.abort(gone);
    await open.clock.advance(0);
    expect(open.calls[0]?.signal.aborted).toBe(false);
    clients[1]?.abort(gone);
    await Promise.all(left);
    await open.clock.advance(0);
    expect(open.calls[0]?.signal.aborted).toBe(true);
    expect(open.clock.sleeping()).toEqual([]);
    expect(open.target.provider.healthOf("fake").inputsUnderWay).toBe(0);
  });

  test("after all others have left leaves nothing behind", async () => {
    const open = opened();
    const clients = texts(3).map(() => new AbortController());
    const left = clients.map(({ signal }, i) => failureOf(ask(open, `text ${i}`, { run: { signal } })));
    await open.clock.advance(5);
    for (const client of clients) client.abort(gone);
    await Promise.all(left);
    await open.clock.advance(WINDOW_MS);
    expect(open.calls).toEqual([]);
    const { coalescing } = open.target.provider;
    expect(coalescing && joinableCalls(coalescing).size).toBe(0);
    expect(open.clock.sleeping()).toEqual([]);
  });
});
