/**
 * What `embedgate bench` sends and counts, with a clock that only it moves: figures here are exact.
 */
import { expect, test } from "bun:test";
import { asJson, forPeople } from "../../src/bench/report";
import { LATENCY_MS, measured, type Twist, wrongs } from "./measuring";

const CHECKING = 12;
const RECHECKED = 8;

test("all connections send without a pause for the given time, and every figure follows", async () => {
  const { result, asked, said } = await measured({ seconds: 2, connections: 4, inputs: 3 });
  const requests = (4 * 2000) / LATENCY_MS;
  expect(result.load).toMatchObject({
    sent: requests,
    right: requests,
    seconds: 2,
    rested_seconds: 0,
    failures: [],
  });
  expect(asked.length).toBe(CHECKING + requests + RECHECKED);
  expect(asJson(result)).toMatchObject({
    load: {
      requests_per_second: 400,
      texts_per_second: 1200,
      tokens: requests * 3 * 16,
      tokens_per_second: 1200 * 16,
      latency_ms: { p50: 10, p90: 10, p99: 10, max: 10 },
    },
  });
  expect(forPeople(result)).toContain(
    [
      "in 2.0 s            TOTAL  PER SECOND",
      "valid replies         800         400",
      "texts (vectors)     2,400       1,200",
      "tokens (usage)     38,400      19,200",
    ].join("\n"),
  );
  expect(said.join("\n")).toContain(
    "A request took 10.0 ms, so expect up to 800 requests and 38,400 tokens.",
  );
});

test("exactly as many requests are sent as were asked for; their cost is printed before", async () => {
  const { result, asked, said } = await measured({ requests: 7, connections: 4, inputs: 5, tokens: 100 });
  expect(result.load).toMatchObject({ sent: 7, right: 7 });
  expect(asked.length).toBe(CHECKING + 7 + 7);
  expect(said).toEqual([
    [
      "Measures http://embeddings.test/v1/embeddings, model m, float.",
      "First 12 requests to check its vectors, about 342 tokens.",
      "Then 7 requests over 4 connections, each with 5 texts of about 100 tokens, 3,500 tokens.",
      "Then 7 of these texts again, alone.",
      "26 requests in all, at most.",
    ].join("\n"),
  ]);
});

test("with no requests at all only the vectors are checked", async () => {
  const { result, asked } = await measured({ requests: 0 });
  expect(asked.length).toBe(CHECKING);
  expect(result.load).toBeUndefined();
  expect(forPeople(result)).toMatch(/^ok {5}replies have OpenAI's format\n/);
});

test("no text is sent twice under load, and all have the same length", async () => {
  const { asked } = await measured({ requests: 200, inputs: 4, tokens: 30 });
  const texts = asked.slice(CHECKING, CHECKING + 200).flatMap((one) => one.texts);
  expect(new Set(texts).size).toBe(800);
  expect(new Set(texts.map(({ length }) => length)).size).toBe(1);
  expect(texts[0]?.split(" ")).toHaveLength(25);
});

test("after a 429 nothing is sent until Retry-After is over, and it is counted separately", async () => {
  const limited: Twist = (_, { place }) =>
    place === CHECKING + 6
      ? Response.json({ error: { message: "slow down" } }, { status: 429, headers: { "retry-after": "2" } })
      : undefined;
  const { result, asked } = await measured({ requests: 40, connections: 4 }, limited);
  expect(result.load?.failures).toEqual([{ kind: "429, with Retry-After", count: 1, message: "slow down" }]);
  expect(result.load).toMatchObject({ sent: 40, right: 39, rested_seconds: 2 });
  const times = asked.slice(CHECKING, CHECKING + 40).map(({ at_ms }) => at_ms);
  const gaps = times.slice(1).map((time, i) => time - (times[i] ?? 0));
  expect(gaps.filter((gap) => gap > LATENCY_MS)).toEqual([2000]);
  expect(forPeople(result)).toContain("2.0 of them paused for Retry-After");
});

test("a Retry-After beyond the end does not delay the end", async () => {
  const limited: Twist = (_, { place }) =>
    place > CHECKING ? new Response("", { status: 429, headers: { "retry-after": "3600" } }) : undefined;
  const { result } = await measured({ seconds: 3, connections: 2 }, limited);
  expect(result.load).toMatchObject({ sent: 2, right: 0, seconds: 3 });
  expect(result.checks).toContainEqual({
    check: "it answers under load",
    outcome: "wrong",
    why: "not one request",
  });
});

test("while the vectors are checked a 429 is waited for, and is not an error", async () => {
  const limited: Twist = (_, { place }) =>
    place === 1 || place === 5
      ? new Response("", { status: 429, headers: { "retry-after": "1" } })
      : undefined;
  const seen = await measured({ requests: 3 }, limited);
  expect(wrongs(seen)).toEqual([]);
  expect(seen.asked[1]?.at_ms).toBe(1000 + LATENCY_MS);
});

test("failures are counted by kind, each with its first message, and are not part of the latencies", async () => {
  const failing: Twist = async ({ data }, { place }) => {
    if (place <= CHECKING || place > CHECKING + 20) return undefined;
    if (place % 4 === 0) return Response.json({ error: { message: `broken at ${place}` } }, { status: 500 });
    if (place % 4 === 1) throw new Error("the socket was closed");
    if (place % 4 === 2) data.pop();
    return undefined;
  };
  const { result } = await measured({ requests: 20, connections: 1 }, failing);
  expect(result.load?.failures.toSorted((a, b) => (a.kind < b.kind ? -1 : 1))).toEqual([
    { kind: "500", count: 5, message: "broken at 16" },
    { kind: "no answer", count: 5, message: "the socket was closed" },
    { kind: "wrong count", count: 5, message: "0 vectors for 1 texts" },
  ]);
  expect(result.load?.latencies_ms).toEqual([10, 10, 10, 10, 10]);
  expect(forPeople(result)).toContain("500                 5  broken at 16");
});

test("an endpoint that cannot be reached is reported, and no load starts", async () => {
  const { result, asked } = await measured({ seconds: 5 }, () => {
    throw new Error("Unable to connect");
  });
  expect(asked.length).toBe(1);
  expect(result).toMatchObject({
    load: undefined,
    checks: [{ check: "it answers one text", outcome: "wrong", why: "no answer: Unable to connect" }],
  });
});

test("an answer that does not come is given up after a minute", async () => {
  const never: Twist = (_, { place }) =>
    place === 1 ? new Promise<undefined>(() => undefined) : Promise.resolve(undefined);
  const { result } = await measured({ requests: 1 }, never);
  expect(result.checks[0]?.why).toBe("no answer: no answer within 60 s");
});

test("a key that an endpoint repeats is never printed", async () => {
  const key = "sk-bench-4711-abcdefgh";
  const seen = await measured({ requests: 4, key }, (_, { place, headers }) =>
    place > CHECKING
      ? Response.json({ error: { message: `bad ${headers.get("authorization")}` } }, { status: 401 })
      : undefined,
  );
  expect(seen.asked[0]?.headers.get("authorization")).toBe(`Bearer ${key}`);
  const all = [forPeople(seen.result), JSON.stringify(asJson(seen.result)), ...seen.said, ...seen.bar].join(
    "\n",
  );
  expect(all).toContain("401");
  expect(all).not.toContain(key);
});

test("a run that is stopped reports what was measured until then", async () => {
  const stop = new AbortController();
  const { result } = await measured(
    { seconds: 100, connections: 2 },
    (_, { place }) => {
      if (place === CHECKING + 50) stop.abort(new Error("interrupted"));
      return undefined;
    },
    stop.signal,
  );
  expect(result.load).toMatchObject({ failures: [] });
  expect(result.load?.right).toBeGreaterThanOrEqual(48);
  expect(result.load?.right).toBeLessThan(50);
});

test("a redirect is not followed: the key is only for the given address", async () => {
  const { result, asked } = await measured(
    { requests: 1 },
    () => new Response("", { status: 308, headers: { location: "https://elsewhere.test/v1/embeddings" } }),
  );
  expect(asked.length).toBe(1);
  expect(result.checks[0]?.why).toBe("308: it redirects to https://elsewhere.test/v1/embeddings");
});
