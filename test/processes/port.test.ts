/** Whether an address is free for several processes: a gateway that serves there is reported, and nobody can block the start with a name. */
import { describe, expect, test } from "bun:test";
import { findFreePort } from "../../src/processes/port";

/** A world whose time passes while something sleeps. */
function world(meanwhile: (slept: number) => void = () => undefined) {
  let now = 0;
  const logs: string[] = [];
  return {
    logs,
    slept: () => now,
    monotonic: () => now,
    async sleep(ms: number) {
      now += ms;
      meanwhile(now);
    },
    log: (_: string, message: string) => void logs.push(message),
  };
}

const served = (port: number) =>
  Bun.serve({ hostname: "127.0.0.1", port, reusePort: true, fetch: () => new Response("here") });

describe("a port", () => {
  test("that is free is found, and again after it was released", async () => {
    const outside = world();
    const first = await findFreePort("127.0.0.1", 0, outside);
    first.release();
    const again = await findFreePort("127.0.0.1", first.port, outside);
    again.release();
    expect([again.port, outside.slept(), outside.logs]).toEqual([first.port, 0, []]);
  });

  test("on which another gateway is about to serve is waited for, and then not taken", async () => {
    const first = await findFreePort("127.0.0.1", 0, world());
    let server: ReturnType<typeof served> | undefined;
    const outside = world(() => {
      server ??= served(first.port);
      first.release();
    });
    try {
      const refused = await findFreePort("127.0.0.1", first.port, outside).catch((cause) => cause);
      expect(refused).toMatchObject({ code: "EADDRINUSE" });
    } finally {
      await server?.stop(true);
    }
  });

  test("whose other gateway gave up is free", async () => {
    const first = await findFreePort("127.0.0.1", 0, world());
    const outside = world(() => first.release());
    const second = await findFreePort("127.0.0.1", first.port, outside);
    second.release();
    expect([second.port, outside.logs]).toEqual([first.port, []]);
  });

  test("is used anyway if somebody holds its name for ever", async () => {
    const squatter = await findFreePort("127.0.0.1", 0, world());
    const outside = world();
    try {
      const found = await findFreePort("127.0.0.1", squatter.port, outside);
      expect(found.port).toBe(squatter.port);
      expect(outside.logs).toHaveLength(1);
      found.release();
    } finally {
      squatter.release();
    }
  });
});
