/**
 * Equal inputs in flight: one request fetches, the others wait, and nobody waits for ever, whatever happens to the one that fetches.
 * A new way to end a fetch also needs its case in "nobody is left behind".
 */
import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { type Boarding, openFlights } from "../../src/cache/flights";
import { type ErrorKind, GatewayError } from "../../src/domain/errors";
import { entry, keyOf, written } from "./made";

const patient = () => new AbortController().signal;
const [A, B, C] = [keyOf("a"), keyOf("b"), keyOf("c")];

/** The state of a promise after everything that could run has run. */
async function fate(promise: Promise<unknown>): Promise<string> {
  let known = "waits";
  promise.then(
    () => {
      known = "arrived";
    },
    (reason: unknown) => {
      known = reason instanceof Error ? reason.message : String(reason);
    },
  );
  await new Promise<void>((resolve) => setImmediate(resolve));
  return known;
}

describe("flights", () => {
  test("the first request fetches; later ones wait for it, and get the same numbers", async () => {
    const flights = openFlights();
    const first = flights.board([A, B], "w");
    const second = flights.board([B, C], "w");
    expect([first.leads, first.joins]).toEqual([[A, B], []]);
    expect([second.leads, second.joins]).toEqual([[C], [B]]);
    second.land(C, entry(3));
    const arriving = second.arrivals(patient());
    expect(await fate(arriving)).toBe("waits");
    first.land(A, entry(1));
    first.land(B, entry(2));
    expect(written((await arriving).get(B))).toEqual(written(entry(2)));
    expect(flights.underWay()).toBe(0);
  });

  test("a key that is named twice is fetched once", () => {
    const boarding = openFlights().board([A, A, B, A], "w");
    expect([boarding.leads, boarding.joins]).toEqual([[A, B], []]);
  });

  test("each waiting request gets its own copy of the numbers", async () => {
    const flights = openFlights();
    const leader = flights.board([A], "w");
    const joiners = [flights.board([A], "w"), flights.board([A], "w")];
    const given = entry(5);
    leader.land(A, given);
    given.values.fill(0);
    const [one, other] = await Promise.all(joiners.map((joiner) => joiner.arrivals(patient())));
    one?.get(A)?.values.fill(0);
    expect(written(other?.get(A))).toEqual(written(entry(5)));
  });

  test("after it has landed, a key is fetched again by the next request", () => {
    const flights = openFlights();
    flights.board([A], "w").land(A, entry(1));
    expect(flights.board([A], "w").leads).toEqual([A]);
  });

  test.each(["overloaded", "unavailable", "timeout", "malformed", "unauthorized"] as const)(
    "when the provider fails (%s), all who waited are told the very same, and nobody asks it again",
    async (kind) => {
      const flights = openFlights();
      const leader = flights.board([A], "w");
      const arrivals = Array.from({ length: 100 }, () => flights.board([A], "w").arrivals(patient()));
      const down = new GatewayError(kind, "the provider is down", { retryAfterMs: 7 });
      leader.leave(down);
      const told = await Promise.allSettled(arrivals);
      expect(told.every((each) => each.status === "rejected" && each.reason === down)).toBe(true);
      expect(flights.underWay()).toBe(0);
    },
  );

  test("a waiting request of another workspace learns the kind of a failure, and not its message", async () => {
    const flights = openFlights();
    const leader = flights.board([A], "red");
    const arrival = flights.board([A], "blue").arrivals(patient());
    leader.leave(
      new GatewayError("unavailable", "'red text' is too much for me", {
        upstreamStatus: 503,
        retryAfterMs: 7,
      }),
    );
    const told = await arrival.catch((thrown: unknown) => thrown);
    expect(told).toMatchObject({ kind: "unavailable", upstreamStatus: 503, retryAfterMs: 7 });
    expect(String(told)).not.toContain("too much");
  });

  test.each<[string, GatewayError | undefined]>([
    ["its client went", new GatewayError("cancelled", "gone")],
    ["its time is over", new GatewayError("deadline", "over")],
    ["one of its inputs is too long", new GatewayError("input_too_long", "long", { input: 3 })],
    ["one of its inputs is refused", new GatewayError("invalid", "bad", { input: 3 })],
    ["the provider chokes on one of its inputs", new GatewayError("malformed", "NaN", { input: 3 })],
    ["its request is wrong", new GatewayError("invalid", "bad")],
    ["the gateway is at fault", new GatewayError("internal", "fault")],
    ["the database is gone", new GatewayError("database_unavailable", "locked")],
    ["it gives no reason", undefined],
  ])("when the leader leaves because %s, exactly one of those who waited fetches next", async (_, reason) => {
    const flights = openFlights();
    const leader = flights.board([A, B], "w");
    const waiting = Array.from({ length: 20 }, () => flights.board([A, B], "w").arrivals(patient()));
    leader.leave(reason);
    for (const landed of await Promise.all(waiting)) expect(landed.size).toBe(0);
    const again = waiting.map(() => flights.board([A, B], "w"));
    expect(again.filter(({ leads }) => leads.length === 2).length).toBe(1);
    expect(again.filter(({ joins }) => joins.length === 2).length).toBe(19);
  });

  test("what landed before the provider failed has arrived; only those that wait for the rest get the failure", async () => {
    const flights = openFlights();
    const leader = flights.board([A, B], "w");
    const lucky = flights.board([A], "w").arrivals(patient());
    const unlucky = flights.board([A, B], "w").arrivals(patient());
    leader.land(A, entry(1));
    leader.leave(new GatewayError("unavailable", "the provider is down"));
    expect((await lucky).size).toBe(1);
    await expect(unlucky).rejects.toThrow("the provider is down");
  });

  test("a request that waits for several fetches gets a failure at once, not after the slowest", async () => {
    const flights = openFlights();
    const failing = flights.board([A], "w");
    const slow = flights.board([B], "w");
    const arriving = flights.board([A, B], "w").arrivals(patient());
    failing.leave(new GatewayError("unavailable", "the provider is down"));
    expect(await fate(arriving)).toBe("the provider is down");
    slow.land(B, entry(1));
  });

  test("a client that disconnects while it waits leaves at once; the fetch and the others go on", async () => {
    const flights = openFlights();
    const leader = flights.board([A], "w");
    const client = new AbortController();
    const going = flights.board([A], "w").arrivals(client.signal);
    const staying = flights.board([A], "w").arrivals(patient());
    client.abort(new GatewayError("cancelled", "the client has gone"));
    expect(await fate(going)).toBe("the client has gone");
    expect(await fate(staying)).toBe("waits");
    leader.land(A, entry(1));
    expect((await staying).size).toBe(1);
  });

  test("a signal that fired before the wait ends it at once", async () => {
    const flights = openFlights();
    const leader = flights.board([A], "w");
    const joiner = flights.board([A], "w");
    await expect(joiner.arrivals(AbortSignal.abort(new Error("gone")))).rejects.toThrow("gone");
    leader.leave(new GatewayError("unavailable", "the provider is down"));
    expect(flights.underWay()).toBe(0);
  });

  test("no listener stays at a signal that outlives the wait", async () => {
    const flights = openFlights();
    const signal = patient();
    let listeners = 0;
    const { addEventListener, removeEventListener } = signal;
    signal.addEventListener = (...given: Parameters<typeof addEventListener>) => {
      listeners++;
      addEventListener.apply(signal, given);
    };
    signal.removeEventListener = (...given: Parameters<typeof removeEventListener>) => {
      listeners--;
      removeEventListener.apply(signal, given);
    };
    const leader = flights.board([A, B], "w");
    const fine = flights.board([A], "w").arrivals(signal);
    const failed = flights.board([B], "w").arrivals(signal);
    expect(listeners).toBe(2);
    leader.land(A, entry(1));
    leader.leave(new GatewayError("timeout", "late"));
    await Promise.allSettled([fine, failed]);
    expect(listeners).toBe(0);
  });

  test("a failure that nobody waits for is not an unhandled rejection", async () => {
    const unhandled: unknown[] = [];
    const hear = (reason: unknown) => unhandled.push(reason);
    process.on("unhandledRejection", hear);
    try {
      const flights = openFlights();
      const leader = flights.board([A, B], "w");
      const client = new AbortController();
      const gone = flights.board([A, B], "w").arrivals(client.signal);
      flights.board([B], "w");
      client.abort(new Error("gone"));
      await fate(gone);
      leader.leave(new GatewayError("unavailable", "the provider is down"));
      await fate(Promise.resolve());
      await fate(Promise.resolve());
    } finally {
      process.off("unhandledRejection", hear);
    }
    expect(unhandled).toEqual([]);
  });

  test("leaving after all has landed, and leaving twice, change nothing", async () => {
    const flights = openFlights();
    const leader = flights.board([A], "w");
    const joiner = flights.board([A], "w").arrivals(patient());
    leader.land(A, entry(1));
    const next = flights.board([A], "w");
    leader.leave(new GatewayError("unavailable", "down"));
    leader.leave();
    expect((await joiner).size).toBe(1);
    expect([next.leads, flights.underWay()]).toEqual([[A], 1]);
  });

  test("landing a key of another request, one that has landed, or one that was left is a bug", () => {
    const flights = openFlights();
    const leader = flights.board([A, B], "w");
    const joiner = flights.board([A], "w");
    leader.land(A, entry(1));
    leader.leave();
    for (const [boarding, key] of [
      [joiner, A],
      [leader, A],
      [leader, B],
    ] as const) {
      expect(() => boarding.land(key, entry(1))).toThrow("does not lead");
    }
  });

  test("waiting while own keys are still being fetched is a bug: two requests could wait for each other", async () => {
    const flights = openFlights();
    const one = flights.board([A], "w");
    const other = flights.board([B, A], "w");
    await expect(other.arrivals(patient())).rejects.toThrow("before its own are done");
    one.leave();
    other.leave();
  });
});

describe("nobody is left behind", () => {
  type Ending = "lands" | ErrorKind | "leaves";
  const ending = fc.constantFrom<Ending[]>("lands", "unavailable", "cancelled", "deadline", "leaves");
  const request = fc.record({
    keys: fc.uniqueArray(fc.integer({ min: 0, max: 5 }), { minLength: 1, maxLength: 5 }),
    endings: fc.array(ending, { maxLength: 3 }),
    givesUp: fc.boolean(),
  });

  /** As a request does it: fetch its own keys, then wait for the rest, and again for what did not arrive. */
  async function serve(
    flights: ReturnType<typeof openFlights>,
    { keys, endings, givesUp }: { keys: number[]; endings: Ending[]; givesUp: boolean },
    fetches: Map<string, number>,
  ): Promise<string[]> {
    const client = new AbortController();
    const got = new Map<string, unknown>();
    const left = [...endings];
    const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
    const lead = async (boarding: Boarding) => {
      for (const key of boarding.leads) fetches.set(key, (fetches.get(key) ?? 0) + 1);
      for (const key of boarding.leads)
        if ((fetches.get(key) ?? 0) > 1) throw new Error("fetched twice at once");
      await turn();
      for (const key of boarding.leads) fetches.set(key, (fetches.get(key) ?? 1) - 1);
      const how = left.shift() ?? "lands";
      if (how === "leaves") return boarding.leave();
      if (how !== "lands") {
        const error = new GatewayError(how, how);
        boarding.leave(error);
        throw error;
      }
      for (const key of boarding.leads) {
        boarding.land(key, entry(Number(key)));
        got.set(key, entry(Number(key)));
      }
    };
    if (givesUp) void turn().then(() => client.abort(new Error("gave up")));
    for (;;) {
      const wanted = keys.map(String).filter((key) => !got.has(key));
      if (wanted.length === 0) return [...got.keys()];
      const boarding = flights.board(wanted, "w");
      try {
        await lead(boarding);
        for (const [key, arrived] of await boarding.arrivals(client.signal)) {
          expect(written(arrived)).toEqual(written(entry(Number(key))));
          got.set(key, arrived);
        }
      } finally {
        boarding.leave();
      }
    }
  }

  test("whatever the leaders do, every request ends, no key is fetched twice at once, nothing stays in flight", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(request, { minLength: 1, maxLength: 8 }), async (requests) => {
        const flights = openFlights();
        const fetches = new Map<string, number>();
        const ended = await Promise.allSettled(requests.map((each) => serve(flights, each, fetches)));
        expect(flights.underWay()).toBe(0);
        for (const [i, each] of ended.entries()) {
          const { keys } = requests[i] ?? { keys: [] };
          if (each.status === "fulfilled") expect(each.value.sort()).toEqual(keys.map(String).sort());
          else expect(["unavailable", "cancelled", "deadline", "gave up"]).toContain(each.reason.message);
        }
      }),
      { numRuns: 300 },
    );
  });
});
