/**
 * A shared server that fails, in every possible way: nobody waits longer than 50 ms for it, every failure counts, and each change is logged once.
 * The clock is the test's own; the server is a fake one on loopback (fake-server.ts).
 */
import { describe, expect, test } from "bun:test";
import { connectValkey } from "../../src/network/valkey-client";
import { type FailureReason, type Link, openLink } from "../../src/valkey/link";
import { script } from "../../src/valkey/script";
import { type FakeOutside, fakeOutside } from "../fake-outside";
import { type FakeServer, type Fault, startFakeServer } from "./fake-server";
import { eventually } from "./server";

interface Opened extends Disposable {
  readonly server: FakeServer;
  readonly link: Link;
  readonly world: FakeOutside;
  readonly failures: readonly FailureReason[];
  ask(): Promise<true | undefined>;
}

async function opened(fault: Fault = "none"): Promise<Opened> {
  const server = startFakeServer();
  server.fault = fault;
  const world = fakeOutside();
  const failures: FailureReason[] = [];
  const link = openLink({
    use: "limits",
    client: connectValkey(server.url),
    address: "redis://there",
    probeKey: "probe",
    outside: world.outside,
    failed: (_, reason) => failures.push(reason),
  });
  if (fault !== "silent") await link.begun;
  return {
    server,
    link,
    world,
    failures,
    ask: () => link.call("GET", ["key"], (reply) => (reply instanceof Uint8Array ? true : undefined)),
    [Symbol.dispose]() {
      link.close();
      server[Symbol.dispose]();
    },
  };
}

const LOST = "shared server does not answer: this machine works without it";
const BACK = "shared server answers again";

const REASONS: readonly (readonly [Fault, FailureReason])[] = [
  ["cut", "lost"],
  ["garbage", "lost"],
  ["full", "refused"],
  ["other shape", "wrong"],
];

describe("a link", () => {
  test.each(REASONS)(
    "counts a reply that is %s as a failure, %s, and asks no more after five",
    async (fault, reason) => {
      using at = await opened();
      at.server.fault = fault;
      while (at.link.isUp()) expect(await at.ask()).toBeUndefined();
      const asked = at.server.commands.length;
      expect(at.failures[0]).toBe(reason);
      expect(at.failures).toHaveLength(5);
      for (let i = 0; i < 100; i++) expect(await at.ask()).toBeUndefined();
      expect(at.server.commands).toHaveLength(asked);
      expect(at.world.logs.map(({ message }) => message)).toEqual([LOST]);
      expect(at.world.logs[0]?.about).toMatchObject({ use: "limits", address: "redis://there" });
    },
  );

  test("waits 50 ms for a silent server, five times, and then not at all", async () => {
    using at = await opened();
    at.server.fault = "silent";
    for (let i = 0; i < 5; i++) {
      const asked = at.ask();
      await at.world.advance(49);
      expect(at.failures).toHaveLength(i);
      await at.world.advance(1);
      expect(await asked).toBeUndefined();
    }
    expect(at.failures).toEqual(Array.from({ length: 5 }, () => "timeout"));
    expect(await at.ask()).toBeUndefined();
    expect(at.failures).toHaveLength(5);
    // The silent connection is closed: late replies on it would answer other questions.
    await eventually(() => at.server.connections() > 1);
  });

  test("does not count time in which the process itself was busy, up to a quarter of a second", async () => {
    using at = await opened();
    at.server.fault = "silent";
    let now = 0;
    let ring = () => {};
    const failures: FailureReason[] = [];
    const client = connectValkey(at.server.url);
    const link = openLink({
      use: "limits",
      client,
      address: "redis://there",
      probeKey: "probe",
      outside: {
        ...at.world.outside,
        monotonic: () => now,
        alarm(_, wake) {
          ring = wake;
          return () => undefined;
        },
      },
      failed: (_, reason) => failures.push(reason),
    });
    at.server.fault = "none";
    await link.begun;
    at.server.fault = "silent";
    const asked = link.call("GET", ["key"], () => true as const);
    /** The event loop was blocked for this long. */
    const hang = async (ms: number) => {
      now += ms;
      ring();
      await Bun.sleep(0);
    };
    await hang(80);
    await hang(80);
    for (let i = 0; i < 4; i++) await hang(10);
    expect(failures).toEqual([]);
    await hang(60);
    expect(await asked).toBeUndefined();
    expect(failures).toEqual(["timeout"]);
    link.close();
  });

  test("tests the server every second, and is back with the first answer", async () => {
    using at = await opened();
    at.server.fault = "full";
    while (at.link.isUp()) await at.ask();
    const asked = at.server.commands.length;
    await at.world.advance(1_300);
    await eventually(() => at.server.commands.length > asked);
    expect(at.link.isUp()).toBe(false);
    at.server.fault = "none";
    await eventually(async () => {
      await at.world.advance(1_300);
      return at.link.isUp();
    });
    expect(await at.ask()).toBe(true);
    expect(at.world.logs.map(({ message }) => message)).toEqual([LOST, BACK]);
  });

  test("opens for a server that fails every other time too", async () => {
    using at = await opened();
    let questions = 0;
    while (at.link.isUp() && questions < 100) {
      at.server.fault = questions % 2 === 0 ? "full" : "none";
      await at.ask();
      questions += 1;
    }
    expect(questions).toBeLessThan(15);
  });

  test("stays closed for a server that fails now and then", async () => {
    using at = await opened();
    for (let i = 0; i < 300; i++) {
      at.server.fault = i % 15 === 0 ? "full" : "none";
      await at.ask();
    }
    expect(at.link.isUp()).toBe(true);
    expect(at.world.logs).toEqual([]);
  });

  test("starts without a server, and logs it once", async () => {
    const world = fakeOutside();
    const link = openLink({
      use: "cache",
      client: connectValkey("redis://127.0.0.1:1"),
      address: "redis://127.0.0.1:1",
      probeKey: "probe",
      outside: world.outside,
      failed: () => undefined,
    });
    await link.begun;
    expect(link.isUp()).toBe(false);
    for (let i = 0; i < 5; i++) await world.advance(1_300);
    expect(world.logs.map(({ message }) => message)).toEqual([LOST]);
    link.close();
    expect(world.sleeping()).toEqual([]);
  });

  test("sends a script in full only if the server does not know it", async () => {
    const calls: string[] = [];
    using at = await opened();
    at.server.fault = "none";
    await at.link.run(script("return 1"), ["a"], [], (reply) => {
      calls.push(String(reply));
      return true;
    });
    expect(at.server.commands.at(-1)).toBe("EVALSHA");
    expect(calls).toHaveLength(1);
  });
});
