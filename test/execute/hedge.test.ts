/**
 * Hedged requests: when the second call is made, where, which answer is used, and what is paid for.
 * A new condition for it is a test here.
 */
import { describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { GatewayError } from "../../src/domain/errors";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { failureOf } from "../plugins/conformance/subject";
import { answerThrough, routeThrough, runUnder } from "./opened";
import { type Watching, watched } from "./watched";

const AFTER_MS = 150;

interface Spec extends Watching {
  readonly model?: string;
  /** How long each call takes, in order; the last value is for all that follow. */
  readonly takesMs?: readonly number[];
  /** The outcome of the first call instead. */
  readonly failsWith?: GatewayError;
}

function opened(clock: FakeOutside, hedgeAfterMs: number | undefined, ...specs: readonly [Spec, ...Spec[]]) {
  const all = specs.map(({ model = "fake", takesMs = [0], failsWith, ...spec }, i) => {
    const ends: (number | undefined)[] = [...takesMs];
    let last = 0;
    let failure = failsWith;
    return watched(model, {
      group: i,
      ...spec,
      clock,
      provider: { name: "ab"[i] ?? "c", retries: 1, timeoutMs: 10_000, ...spec.provider },
      before: (call, host) => {
        const first = failure;
        failure = undefined;
        if (first) throw first;
        last = ends.shift() ?? last;
        return host.sleep(last, spec.isDeaf ? undefined : call.signal);
      },
    });
  });
  const [first, ...others] = all.map(({ target }) => target);
  if (!first) throw new Error("no ways");
  const route = routeThrough([first, ...others], { hedgeAfterMs });
  return { route, all, times: () => all.map(({ callTimes }) => callTimes) };
}

async function answered(clock: FakeOutside, { route }: ReturnType<typeof opened>, inputs = ["one two"]) {
  const run = runUnder();
  const { vectors, tokens } = await clock.until(answerThrough(route, inputs, clock.outside, { run }));
  expect(vectors).toEqual(inputs.map((text) => exactVector(text, 16)));
  return { run, tokens, tookMs: clock.outside.monotonic() };
}

describe("a query that is slow to be answered", () => {
  test("is sent to another route, whose answer is used if it is first; the other call is abandoned", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, AFTER_MS, { takesMs: [5_000] }, { takesMs: [40] });
    const { run, tookMs, tokens } = await answered(clock, ways);
    expect(ways.times()).toEqual([[0], [AFTER_MS]]);
    expect(tookMs).toBe(AFTER_MS + 40);
    expect(ways.all.map(({ calls }) => calls[0]?.signal.aborted)).toEqual([true, false]);
    expect([...run.tally.providers]).toEqual(["b"]);
    // The request made both calls, so it pays for both.
    expect([tokens, run.tally.tokens, run.tally.tokensAbandoned]).toEqual([2, 4, 2]);
    await clock.advance(0);
    expect(clock.sleeping()).toEqual([]);
  });

  test("is answered by the first call if that is first after all", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, AFTER_MS, { takesMs: [200] }, { takesMs: [5_000] });
    const { run, tookMs } = await answered(clock, ways);
    expect(ways.times()).toEqual([[0], [AFTER_MS]]);
    expect(tookMs).toBe(200);
    expect([...run.tally.providers]).toEqual(["a"]);
    await clock.advance(0);
    expect(clock.sleeping()).toEqual([]);
  });

  test("is sent to the same route if no other may serve", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, AFTER_MS, { takesMs: [5_000, 30] }, { mayServe: () => false });
    expect((await answered(clock, ways)).tookMs).toBe(AFTER_MS + 30);
    expect(ways.times()).toEqual([[0, AFTER_MS], []]);
  });

  test.each([
    ["the first fails meanwhile", [200, 200], "-down", ""],
    ["the second fails", [400, 10], "", "-down"],
  ])("is answered by the other call where %s", async (_, [first = 0, second = 0], a, b) => {
    const clock = fakeOutside();
    const ways = opened(
      clock,
      AFTER_MS,
      { model: `fake${a}`, takesMs: [first] },
      { model: `fake${b}`, takesMs: [second] },
    );
    await answered(clock, ways);
    expect(ways.times()).toEqual([[0], [AFTER_MS]]);
  });

  test("sends no call that is still waiting to be coalesced to a target that sent Retry-After for the other call", async () => {
    const clock = fakeOutside();
    const limited = new GatewayError("overloaded", "Slow down.", { retryAfterMs: 5_000 });
    const ways = opened(clock, AFTER_MS, {
      failsWith: limited,
      provider: { coalescing: { windowMs: 2 * AFTER_MS, isSpread: false } },
    });
    await answered(clock, ways);
    // When the target may be called again, the call waits for others again.
    expect(ways.times()).toEqual([[AFTER_MS, AFTER_MS + 5_000 + 2 * AFTER_MS]]);
    await clock.advance(0);
    expect(clock.sleeping()).toEqual([]);
  });

  test("is retried as usual if both calls fail", async () => {
    const clock = fakeOutside();
    const ways = opened(
      clock,
      AFTER_MS,
      { model: "fake-flaky", takesMs: [200] },
      { model: "fake-down", takesMs: [200] },
    );
    await answered(clock, ways);
    expect(ways.times().map(({ length }) => length)).toEqual([2, 1]);
  });

  test("is not sent more often than a part may be", async () => {
    const clock = fakeOutside();
    const ways = opened(
      clock,
      AFTER_MS,
      { model: "fake-down", takesMs: [200], provider: { retries: 5 } },
      { model: "fake-down", takesMs: [200], provider: { retries: 5 } },
    );
    await failureOf(clock.until(answerThrough(ways.route, ["one"], clock.outside)));
    expect(ways.times().flat()).toHaveLength(4);
    const alone = { ...runUnder(), attemptsMax: 1 };
    const once = opened(clock, AFTER_MS, { takesMs: [400] }, {});
    await clock.until(answerThrough(once.route, ["one"], clock.outside, { run: alone }));
    expect(once.times().map(({ length }) => length)).toEqual([1, 0]);
  });

  test("ends with its client, both calls of it", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, AFTER_MS, { takesMs: [5_000] }, { takesMs: [5_000] });
    const controller = new AbortController();
    const failure = failureOf(
      answerThrough(ways.route, ["one"], clock.outside, { run: runUnder(controller.signal) }),
    );
    await clock.advance(1_000);
    const gone = new GatewayError("cancelled", "The client closed the connection.");
    controller.abort(gone);
    expect(await failure).toBe(gone);
    await clock.advance(0);
    expect(ways.all.map(({ calls }) => calls[0]?.signal.aborted)).toEqual([true, true]);
    expect(clock.sleeping()).toEqual([]);
  });
});

describe("no second call is made", () => {
  test.each<[string, number | undefined, readonly string[], number]>([
    ["unless the model asks for it", undefined, ["one"], 5_000],
    ["for an answer that is in time", AFTER_MS, ["one"], AFTER_MS - 1],
    ["for more than one input", AFTER_MS, ["one", "two"], 5_000],
  ])("%s", async (_, hedgeAfterMs, inputs, takesMs) => {
    const clock = fakeOutside();
    const ways = opened(clock, hedgeAfterMs, { takesMs: [takesMs] }, {});
    await answered(clock, ways, [...inputs]);
    expect(ways.times()).toEqual([[0], []]);
    expect(clock.sleeping()).toEqual([]);
  });

  test("if the first one fails soon: that is an ordinary retry", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, AFTER_MS, { model: "fake-down", takesMs: [100] }, { takesMs: [400] });
    await answered(clock, ways);
    expect(ways.times()).toEqual([[0], [100]]);
  });

  test("to a route that is known to fail", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, AFTER_MS, { takesMs: [400] }, { model: "fake-down" });
    const breaker = ways.all[1]?.target.provider.healthOf("fake-down").breaker;
    for (let failure = 0; failure < 5; failure++) breaker?.begin({}, false)?.ended("failed");
    await answered(clock, ways);
    expect(ways.times()).toEqual([[0, AFTER_MS], []]);
  });
});

describe("an answer that nobody waits for any more", () => {
  test("of the call that was second is counted when it comes, in place of the estimate, and logged", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, AFTER_MS, { takesMs: [5_000], isDeaf: true }, { takesMs: [40] });
    const { run } = await answered(clock, ways, ["a b c d e"]);
    // Without a count a token is four bytes.
    expect(run.tally).toMatchObject({ tokens: 5 + 3, tokensAbandoned: 3 });
    await clock.advance(5_000);
    expect(run.tally).toMatchObject({ tokens: 5 + 5, tokensAbandoned: 5 });
    expect([...run.tally.providers]).toEqual(["b"]);
    expect(clock.logs).toEqual([
      {
        level: "info",
        message: "late upstream answer: its call had timed out or was cancelled, its tokens are counted",
        about: { request: "req_test", provider: "a", tokens: 5 },
      },
    ]);
  });

  test("of an attempt that timed out is counted too, in time for the ledger if another one follows", async () => {
    const clock = fakeOutside();
    const ways = opened(clock, undefined, {
      takesMs: [1_050, 900],
      isDeaf: true,
      provider: { timeoutMs: 1_000, retries: 1 },
    });
    const { run, tokens } = await answered(clock, ways);
    expect([tokens, run.tally.tokens, run.tally.tokensAbandoned]).toEqual([2, 4, 2]);
  });

  test("leaves the estimate if it cannot be read", async () => {
    for (const reply of [null, 42, {}]) {
      const clock = fakeOutside();
      const ways = opened(
        clock,
        AFTER_MS,
        { takesMs: [5_000], isDeaf: true, spoil: () => JSON.parse(JSON.stringify(reply)) },
        { takesMs: [40] },
      );
      const { run } = await answered(clock, ways);
      await clock.advance(5_000);
      expect(run.tally).toMatchObject({ tokens: 4, tokensAbandoned: 2 });
    }
  });

  test("costs nothing if the provider refused it after all", async () => {
    const clock = fakeOutside();
    const ways = opened(
      clock,
      AFTER_MS,
      {
        takesMs: [5_000],
        isDeaf: true,
        spoil: () => {
          throw new GatewayError("unavailable", "The provider answered 500.", { upstreamStatus: 500 });
        },
      },
      { takesMs: [40] },
    );
    const { run } = await answered(clock, ways);
    expect(run.tally).toMatchObject({ tokens: 4, tokensAbandoned: 2 });
    await clock.advance(5_000);
    expect(run.tally).toMatchObject({ tokens: 2, tokensAbandoned: 0 });
  });
});

test("the observer gets each call that was sent, with its outcome and duration", async () => {
  const clock = fakeOutside();
  const ways = opened(clock, AFTER_MS, { takesMs: [5_000] }, { takesMs: [40] });
  const seen: unknown[] = [];
  const outside = { ...clock.outside, observe: (call: unknown) => seen.push(call) };
  await clock.until(answerThrough(ways.route, ["one"], outside));
  await clock.advance(0);
  const failing = opened(clock, undefined, { model: "fake-down", provider: { retries: 0 } });
  await failureOf(clock.until(answerThrough(failing.route, ["one"], outside)));
  expect(seen).toEqual([
    { provider: "b", model: "fake", outcome: "ok", latencyMs: 40 },
    { provider: "a", model: "fake", outcome: "cancelled", latencyMs: 190 },
    { provider: "a", model: "fake-down", outcome: "unavailable", latencyMs: 0 },
  ]);
});
