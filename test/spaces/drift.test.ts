/**
 * A model that is changed behind its name while the gateway serves it: how soon it is noticed, who still gets its vectors, and what it costs to look.
 */
import { describe, expect, test } from "bun:test";
import type { OpenGateway } from "../gateway";
import { ON_POSTGRES } from "../stores/on-postgres";
import { LONE, lastingYaml, otherModel, rightModel, TWO, type Vendor, vendors } from "./vendors";

const CHECK = ["no.", "caf\u00e9", "世界", "3.14159"];
const isCheck = (texts: readonly string[]) =>
  texts.length === CHECK.length && CHECK.every((text) => texts.includes(text));
const checksOf = ({ asked }: Vendor) => asked.filter(isCheck).length;

const firstVector = ({ json }: { readonly json: unknown }): number[] => [
  ...Float32Array.from(Object(json).data[0].embedding),
];

function clocked(yaml: string) {
  const world = vendors(yaml);
  let now = 0;
  const started = 1_790_000_000_000;
  const outside = { monotonic: () => now, now: () => started + now };
  let count = 0;
  return {
    ...world,
    open: () => world.open({ outside }),
    pass: (ms: number) => {
      now += ms;
    },
    /** Requests with texts of their own, one after the other. */
    async ask(open: OpenGateway, times: number) {
      const statuses: number[] = [];
      for (let i = 0; i < times; i++) {
        statuses.push((await open.post({ model: "m", input: `text ${count++}` })).status);
        await world.quiet();
      }
      return statuses;
    },
  };
}

describe("a model that is changed while it serves", () => {
  test("is out of service with the first request after 30 s, and the notice says since when", async () => {
    const { open, byHost, ask, pass, quiet } = clocked(LONE);
    await using gateway = await open();
    await ask(gateway, 20);
    pass(30_000);
    await ask(gateway, 1);
    byHost.a.vectorOf = otherModel;
    expect(await ask(gateway, 20)).toEqual(Array.from({ length: 20 }, () => 200));
    pass(30_000);
    // Its answer starts the check. All that come from then on wait for what it finds.
    await gateway.post({ model: "m", input: "last" });
    await quiet();
    expect(await ask(gateway, 2)).toEqual([503, 503]);
    const [notice] = gateway.gateway.spaces().notices();
    expect(notice).toMatchObject({ space: "m", provider: "a", out_of_service: true });
    // Of the last quick check that agreed.
    expect(notice?.message).toContain(`${new Date(1_790_000_030_000).toISOString().slice(0, 19)}Z`);
    const told = await gateway.send("/admin/v1/notices");
    expect(told.json).toMatchObject({ notices: [{ kind: "space", severity: "error", provider: "a" }] });
    expect((await gateway.send("/metrics")).text).toMatch(
      /^embedgate_space_out_of_service\{provider="a"\} 1$/m,
    );
    expect(gateway.logs).toContainEqual(
      expect.objectContaining({
        level: "warn",
        message: "a quick check found other vectors: the route is measured now",
      }),
    );
  });

  test("gives way to the next route, which still agrees", async () => {
    const { open, byHost, ask, pass, quiet } = clocked(TWO);
    await using gateway = await open();
    await quiet();
    byHost.a.vectorOf = otherModel;
    await ask(gateway, 20);
    pass(30_000);
    await ask(gateway, 1);
    const sent = await gateway.post({ model: "m", input: "hello" });
    expect([sent.status, sent.headers.get("x-embedgate-provider")]).toEqual([200, "b"]);
    expect(firstVector(sent)).toEqual([...rightModel("hello")]);
  });

  test("leaves nothing in the cache of what it answered before it was noticed, nor after a restart", async () => {
    const first = vendors(LONE);
    await using folder = await first.open();
    const yaml = `${lastingYaml(LONE, folder)}\ncache: { memory_mb: 8, disk_mb: 8 }\n`;
    {
      const { open, byHost, ask, pass, quiet } = clocked(yaml);
      await using gateway = await open();
      await ask(gateway, 20);
      byHost.a.vectorOf = otherModel;
      await gateway.post({ model: "m", input: "hello" });
      const hit = await gateway.post({ model: "m", input: "hello" });
      expect([hit.headers.get("x-embedgate-cache"), firstVector(hit)]).toEqual([
        "hit=1, miss=0",
        [...otherModel("hello")],
      ]);
      pass(30_000);
      await ask(gateway, 1);
      expect((await gateway.post({ model: "m", input: "hello" })).status).toBe(503);
      byHost.a.vectorOf = rightModel;
      pass(31_000);
      await gateway.post({ model: "m", input: "look again" });
      await quiet();
      expect(firstVector(await gateway.post({ model: "m", input: "hello" }))).toEqual([
        ...rightModel("hello"),
      ]);
    }
    const { open } = clocked(yaml);
    await using again = await open();
    const sent = await again.post({ model: "m", input: "hello" });
    // Beside a server's database there is no cache on disk.
    expect(sent.headers.get("x-embedgate-cache")).toBe(ON_POSTGRES ? "hit=0, miss=1" : "hit=1, miss=0");
    expect(firstVector(sent)).toEqual([...rightModel("hello")]);
  });

  test("answers no request that it was asked for before it was noticed, if the answer comes after", async () => {
    const { open, byHost, ask, pass, quiet } = clocked(LONE);
    await using gateway = await open();
    await ask(gateway, 20);
    byHost.a.vectorOf = otherModel;
    pass(30_000);
    const late = Promise.withResolvers<void>();
    byHost.a.before = (texts) => (texts.includes("slow") ? late.promise : undefined);
    const slow = gateway.post({ model: "m", input: "slow" });
    await quiet();
    await ask(gateway, 1);
    late.resolve();
    expect((await slow).status).toBe(503);
  });

  test("stays in service with on_drift: warn", async () => {
    const { open, byHost, ask, pass } = clocked(LONE.replace("price: 1", "price: 1, on_drift: warn"));
    await using gateway = await open();
    await ask(gateway, 20);
    byHost.a.vectorOf = otherModel;
    pass(30_000);
    expect(await ask(gateway, 3)).toEqual([200, 200, 200]);
    expect(gateway.gateway.spaces().notices()).toMatchObject([{ out_of_service: false }]);
  });

  test("of which one check was a fluke is measured, and stays", async () => {
    const { open, byHost, ask, pass } = clocked(LONE);
    await using gateway = await open();
    await ask(gateway, 20);
    byHost.a.vectorOf = (text) =>
      checksOf(byHost.a) === 1 && CHECK.includes(text) ? otherModel(text) : rightModel(text);
    byHost.a.before = (texts) => {
      if (!isCheck(texts) && checksOf(byHost.a) === 1) byHost.a.vectorOf = rightModel;
      return undefined;
    };
    pass(30_000);
    expect(await ask(gateway, 2)).toEqual([200, 200]);
    expect(checksOf(byHost.a)).toBe(1);
    expect(gateway.gateway.spaces().notices()).toEqual([]);
  });
});

describe("a quick check", () => {
  test("is one call of four short texts, at most one in 20 answers and one in 30 s", async () => {
    const { open, byHost, ask, pass } = clocked(LONE);
    await using gateway = await open();
    await ask(gateway, 60);
    expect(checksOf(byHost.a)).toBe(0);
    pass(30_000);
    await ask(gateway, 60);
    expect(checksOf(byHost.a)).toBe(1);
    pass(300_000);
    await ask(gateway, 1);
    expect(checksOf(byHost.a)).toBe(2);
    pass(300_000);
    await ask(gateway, 18);
    expect(checksOf(byHost.a)).toBe(2);
    await ask(gateway, 2);
    expect(checksOf(byHost.a)).toBe(3);
  });

  test("is not made for answers from the cache, at another time with check_every_ms, and never at every_ms", async () => {
    const cached = clocked(`${LONE}\ncache: { memory_mb: 8 }\n`);
    await using first = await cached.open();
    await cached.ask(first, 1);
    for (let i = 0; i < 60; i++) await first.post({ model: "m", input: "the same" });
    cached.pass(30_000);
    await first.post({ model: "m", input: "the same" });
    await cached.quiet();
    expect(checksOf(cached.byHost.a)).toBe(0);
    for (const [more, expected] of [
      ["check_every_ms: 1000", 1],
      ["check_every_ms: 60000", 0],
      ["every_ms: 30000", 0],
    ] as const) {
      const { open, byHost, ask, pass } = clocked(`${LONE}\nspace_probe: { ${more} }\n`);
      await using gateway = await open();
      await ask(gateway, 20);
      pass(29_000);
      await ask(gateway, 1);
      expect([more, checksOf(byHost.a)]).toEqual([more, expected]);
    }
  });

  test("of a provider that fails stops nothing, and is tried again", async () => {
    const { open, byHost, ask, pass } = clocked(LONE);
    await using gateway = await open();
    await ask(gateway, 20);
    byHost.a.vectorOf = undefined;
    byHost.a.before = (texts) => {
      byHost.a.vectorOf = isCheck(texts) ? undefined : rightModel;
      return undefined;
    };
    pass(30_000);
    expect(await ask(gateway, 20)).toEqual(Array.from({ length: 20 }, () => 200));
    pass(30_000);
    await ask(gateway, 1);
    expect(checksOf(byHost.a)).toBe(2);
    expect(gateway.gateway.spaces().notices()).toEqual([]);
  });
});
