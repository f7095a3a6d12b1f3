/**
 * How `serve` ends on a signal: a separate process, an upstream that holds back its answers, and nothing lost in between.
 * No test waits for a fixed time: the upstream was called, the log said so, the process ended.
 */
import { describe, expect, test } from "bun:test";
import { connect } from "node:net";
import { ServerSection } from "../../src/config/schema-server";
import { createUnderWay } from "../../src/door/under-way";
import { endGracefully } from "../../src/serving/ending";
import { fakeOutside } from "../fake-outside";
import { copiesOf } from "../processes/copies";
import { postTo, startServing, startUpstream, temporaryFolder, wireTo } from "../serving";
import { onSqliteAlone } from "../stores/on-postgres";
import { query } from "../stores/query";

const rowsOf = (folder: string) => query(folder, "SELECT status, error FROM ledger ORDER BY status");

const refused = (error: unknown) => {
  if (error instanceof Error && "code" in error) return String(error.code);
  throw error;
};

describe.each(["SIGTERM", "SIGINT"] as const)("on %s", (signal) => {
  test("requests in flight are answered, new connections are refused, and the exit code is 0", async () => {
    using upstream = startUpstream({ holds: true });
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
    await using child = await startServing(folder.path);
    const answers = ["a", "b", "c"].map((input) => postTo(child.url, { model: "m", input }));
    await upstream.reached(3);
    child.signal(signal);
    await child.logged("have grace_ms to finish");
    expect(await postTo(child.url, { model: "m", input: "late" }).catch(refused)).toBe("ECONNREFUSED");
    upstream.release();
    const statuses = await Promise.all(
      answers.map(async (answer) => {
        const { status, headers, json } = await answer.then(async (response) => ({
          status: response.status,
          headers: response.headers,
          json: await response.json(),
        }));
        expect(json).toMatchObject({ object: "list" });
        return [status, headers.get("connection")];
      }),
    );
    expect(statuses).toEqual(Array(3).fill([200, "close"]));
    expect(await child.ended()).toBe(0);
    expect(await rowsOf(folder.path)).toEqual(Array(3).fill({ status: 200, error: null }));
  });
});

describe("graceful shutdown, by the clock", () => {
  const at = async ({
    drains = true,
    requests = 0,
    drain_ms = ServerSection.properties.drain_ms.default,
    grace_ms = ServerSection.properties.grace_ms.default,
  }) => {
    const clock = fakeOutside();
    const began = clock.outside.now();
    const seen: (readonly [string, number])[] = [];
    const see = (what: string) => void seen.push([what, clock.outside.now() - began]);
    const underWay = createUnderWay(() => 10);
    for (let i = 0; i < requests; i++) {
      // Like a request that nobody answers: it ends once it is cut off.
      const left = Promise.withResolvers<void>();
      void underWay.run(async (ending) => {
        ending.addEventListener("abort", () => {
          see("cut");
          left.resolve();
        });
        await left.promise;
      });
    }
    const ended = endGracefully(
      {
        underWay,
        config: () => ({ server: { drain_ms, grace_ms } }),
        close: async () => see("closed"),
      },
      { stop: async (cutOff = false) => see(cutOff ? "cut connections" : "stopped") },
      clock.outside,
      drains,
    );
    expect(() => underWay.checkStays()).toThrow("is shutting down");
    await clock.until(ended);
    return seen;
  };

  test("by default it accepts requests for 5 s, and requests in flight are cut off before 25 s", async () => {
    expect(await at({ requests: 1 })).toEqual([
      ["stopped", 5_000],
      ["cut", 24_000],
      ["cut connections", 24_000],
      ["closed", 24_000],
    ]);
  });

  test("without requests it ends when it has drained; at a terminal at once", async () => {
    const ended = ["stopped", "cut connections", "closed"];
    expect(await at({})).toEqual(ended.map((what) => [what, 5_000]));
    expect(await at({ drain_ms: 0 })).toEqual(ended.map((what) => [what, 0]));
    expect(await at({ drains: false })).toEqual(ended.map((what) => [what, 0]));
  });
});

describe.each([
  ["one process", 1],
  ["two processes", 2],
])("%s", (_, processes) => {
  test.skipIf(processes > 1 && process.platform !== "linux")(
    "on SIGTERM: /readyz is 503 at once, requests are still accepted, kept connections are told to close",
    async () => {
      using upstream = startUpstream();
      using folder = temporaryFolder({
        "gateway.yaml": wireTo(upstream, `drain_ms: 600000, processes: ${processes}`),
      });
      await using child = await startServing(folder.path);
      const fresh = async (path: string) => {
        const { status, headers } = await fetch(`${child.url}${path}`, { headers: { connection: "close" } });
        return [status, headers.get("connection"), headers.get("retry-after")];
      };
      expect(await fresh("/readyz")).toEqual([200, null, null]);
      child.signal("SIGTERM");
      await child.logged("/readyz is 503");
      // The other process learns of it a moment later.
      const isUnready = async () =>
        (await Promise.all(Array.from({ length: 16 }, () => fresh("/readyz")))).every(
          ([status]) => status === 503,
        );
      while (!(await isUnready()));
      expect(await fresh("/readyz")).toEqual([503, "close", "1"]);
      expect(await fresh("/healthz")).toEqual([200, "close", null]);
      const answer = await postTo(child.url, { model: "m", input: "a" });
      expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
      child.signal("SIGTERM");
      expect(await child.ended()).toBe(143);
    },
  );
});

describe("on SIGTERM", () => {
  test("requests not finished within the grace period are cut off: with an answer, and with a row", async () => {
    using upstream = startUpstream({ holds: true });
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, "grace_ms: 100") });
    await using child = await startServing(folder.path);
    const answer = postTo(child.url, { model: "m", input: "a" });
    await upstream.reached(1);
    child.signal("SIGTERM");
    const response = await answer;
    expect(response.status).toBe(503);
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await response.json()).toMatchObject({ error: { code: "overloaded" } });
    expect(await child.ended()).toBe(0);
    expect(await rowsOf(folder.path)).toHaveLength(1);
    expect(await rowsOf(folder.path)).toEqual([{ status: 503, error: "overloaded" }]);
  });

  test("a body that is still arriving is cut off too", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, "grace_ms: 100") });
    await using child = await startServing(folder.path);
    const { promise: got, resolve } = Promise.withResolvers<string>();
    const asked = Promise.withResolvers<void>();
    let text = "";
    const socket = connect(child.port, "127.0.0.1", () => {
      socket.write(
        "POST /v1/embeddings HTTP/1.1\r\nhost: localhost\r\nexpect: 100-continue\r\ncontent-length: 99\r\n\r\n",
      );
    });
    socket.on("data", (chunk) => {
      text += chunk;
      if (text.includes("100 Continue")) asked.resolve();
    });
    socket.on("close", () => resolve(text));
    await asked.promise;
    child.signal("SIGTERM");
    expect(await got).toContain("HTTP/1.1 503 ");
    expect(await child.ended()).toBe(0);
  });

  test("a kept-alive connection is closed, and does not delay the end", async () => {
    using upstream = startUpstream({ holds: true });
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
    await using child = await startServing(folder.path);
    const underWay = postTo(child.url, { model: "m", input: "a" });
    await upstream.reached(1);
    const health = "GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n";
    const healthy = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<string>();
    let text = "";
    const socket = connect(child.port, "127.0.0.1", () => socket.write(health));
    socket.on("data", (chunk) => {
      text += chunk;
      if (text.includes('"ok"')) healthy.resolve();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => closed.resolve(text));
    await healthy.promise;
    child.signal("SIGTERM");
    await child.logged("have grace_ms to finish");
    expect(await closed.promise).toEndWith('{"status":"ok"}');
    upstream.release();
    expect((await underWay).status).toBe(200);
    expect(await child.ended()).toBe(0);
  });

  const LATER = "on a server its request is released once it was silent for 30 s (stores/drills.test.ts)";
  test.skipIf(onSqliteAlone(LATER))(
    "a second signal ends it at once, and the next start marks its request as interrupted",
    async () => {
      using upstream = startUpstream({ holds: true });
      using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
      await using child = await startServing(folder.path);
      const answer = postTo(child.url, { model: "m", input: "a" }).catch(refused);
      await upstream.reached(1);
      child.signal("SIGTERM");
      await child.logged("have grace_ms to finish");
      child.signal("SIGTERM");
      expect(await child.ended()).toBe(143);
      expect(await answer).toBe("ECONNRESET");
      await using _next = await startServing(folder.path);
      expect(await rowsOf(folder.path)).toEqual([{ status: 0, error: "interrupted" }]);
    },
  );

  test("without any request it ends at once", async () => {
    using upstream = startUpstream();
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, "grace_ms: 600000") });
    await using child = await startServing(folder.path);
    child.signal("SIGTERM");
    expect(await child.ended()).toBe(0);
  });
});

describe.each([
  ["one process", 1],
  ["two processes", 2],
])("%s", (_, processes) => {
  test.skipIf(process.platform !== "linux")(
    "goes on serving whatever other signal it is sent, and ends by SIGTERM alone",
    async () => {
      using upstream = startUpstream({ holds: true });
      using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream, `processes: ${processes}`) });
      await using child = await startServing(folder.path);
      const copies = processes > 1 ? copiesOf(child.pid) : [];
      for (const pid of [child.pid, ...copies]) {
        for (const signal of ["SIGUSR1", "SIGHUP", "SIGUSR1"]) process.kill(pid, signal);
        // With several processes the first signal makes the supervisor replace them.
        if (pid !== child.pid || processes === 1) process.kill(pid, "SIGUSR2");
      }
      const answer = postTo(child.url, { model: "m", input: "a" });
      await upstream.reached(1);
      expect(copiesOf(child.pid)).toEqual(copies);
      child.signal("SIGTERM");
      await child.logged("have grace_ms to finish");
      for (const signal of ["SIGUSR1", "SIGUSR2", "SIGHUP"] as const) child.signal(signal);
      upstream.release();
      expect((await answer).status).toBe(200);
      expect(await child.ended()).toBe(0);
    },
  );
});
