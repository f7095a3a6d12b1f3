/**
 * Ids that callers choose under a pattern: no provider is called for them, and nothing is stored about them, unless somebody pays.
 * spaces.test.ts has what applies to every space.
 */
import { describe, expect, test } from "bun:test";
import { MEASUREMENTS_PER_MINUTE } from "../../src/callers/rate-limits";
import { openStore } from "../../src/db/open";
import { PROBES } from "../../src/domain/probes";
import { realOutside } from "../../src/network/real-outside";
import { openFingerprints } from "../../src/spaces/fingerprints";
import type { OpenGateway } from "../gateway";
import { onSqliteAlone } from "../stores/on-postgres";
import { query } from "../stores/query";
import {
  isProbe,
  LONE,
  LONG_TEXT,
  lastingYaml,
  otherModel,
  rightModel,
  SHORT_TEXTS,
  TWO,
  vendors,
} from "./vendors";

const PATTERN = TWO.replace("models: { m:", 'models: { "*":');
const DAY_MS = 86_400_000;

interface Space {
  readonly name: string;
  readonly paid_at: number | null;
}

const spacesOf = ({ folder }: OpenGateway): Promise<Space[]> =>
  query(folder, "SELECT name, paid_at FROM spaces ORDER BY name");

const namesOf = async (open: OpenGateway) => (await spacesOf(open)).map(({ name }) => name);
/** Measurements: the long text is sent separately. */
const probesIn = (asked: readonly (readonly string[])[]) =>
  asked.filter((texts) => texts.length > 1 && isProbe(texts)).length;

async function keyWith(open: OpenGateway, workspace: string, microCredits: bigint | null) {
  await open.gateway.workspaces.create(workspace, {}, microCredits);
  const { key } = await open.gateway.keys.create("ci", workspace);
  return { authorization: `Bearer ${key}` };
}

describe("an id under a pattern of two routes", () => {
  test("that cannot be paid for makes no call and leaves no row, however many there are", async () => {
    const { open, byHost, quiet } = vendors(PATTERN);
    await using gateway = await open();
    const headers = await keyWith(gateway, "penniless", 0n);
    const sent = await Promise.all(
      Array.from({ length: 50 }, (_, i) => gateway.post({ model: `id-${i}`, input: "a" }, headers)),
    );
    await quiet();
    expect(sent.every(({ status }) => status === 402)).toBe(true);
    expect([byHost.a.asked, byHost.b.asked]).toEqual([[], []]);
    expect(await namesOf(gateway)).toEqual([]);
    expect(await gateway.gateway.ledger.usage(0, "workspace")).toMatchObject([
      { group: "penniless", requests: 50n, failed: 50n },
    ]);
  });

  test("that no provider knows is not measured", async () => {
    const { open, byHost, quiet } = vendors(PATTERN);
    await using gateway = await open();
    byHost.a.vectorOf = undefined;
    byHost.b.vectorOf = undefined;
    for (let i = 0; i < 10; i++) await gateway.post({ model: `id-${i}`, input: "a" });
    await quiet();
    expect([probesIn(byHost.a.asked), probesIn(byHost.b.asked)]).toEqual([0, 0]);
  });

  test("is measured once its first answer was sent, on both routes; then the second serves", async () => {
    const { open, byHost, quiet } = vendors(PATTERN);
    await using gateway = await open();
    expect((await gateway.post({ model: "mine", input: "a" })).status).toBe(200);
    await quiet();
    expect([probesIn(byHost.a.asked), probesIn(byHost.b.asked)]).toEqual([1, 1]);
    expect(await spacesOf(gateway)).toEqual([{ name: "mine", paid_at: expect.any(Number) }]);
    byHost.a.vectorOf = undefined;
    const sent = await gateway.post({ model: "mine", input: "b" });
    expect([sent.status, sent.headers.get("x-embedgate-provider")]).toEqual([200, "b"]);
  });

  test("is measured within its workspace's budget, which is separate for each workspace and refills", async () => {
    let monotonic = 1_000_000;
    const { open, byHost, quiet } = vendors(PATTERN);
    await using gateway = await open({ outside: { monotonic: () => monotonic } });
    const many = await keyWith(gateway, "many", null);
    const few = await keyWith(gateway, "few", null);
    for (let i = 0; i < 30; i++)
      expect((await gateway.post({ model: `many-${i}`, input: "a" }, many)).status).toBe(200);
    await quiet();
    expect(probesIn(byHost.a.asked)).toBe(MEASUREMENTS_PER_MINUTE);
    await gateway.post({ model: "few-0", input: "a" }, few);
    await quiet();
    expect(probesIn(byHost.a.asked)).toBe(MEASUREMENTS_PER_MINUTE + 1);
    monotonic += 60_000;
    await gateway.post({ model: "many-29", input: "a" }, many);
    await quiet();
    expect(probesIn(byHost.a.asked)).toBe(MEASUREMENTS_PER_MINUTE + 2);
  });

  test("has its second route measured before a request that forces it is served, within the budget; beyond it, 429", async () => {
    const { open, byHost, quiet } = vendors(PATTERN);
    byHost.b.vectorOf = otherModel;
    await using gateway = await open({ outside: { monotonic: () => 1_000_000 } });
    const ask = (i: number) =>
      gateway.post({ model: `id-${i}`, input: "a" }, { "x-embedgate-provider": "b" });
    const statuses = [];
    for (let i = 0; i < MEASUREMENTS_PER_MINUTE + 2; i++) statuses.push((await ask(i)).status);
    await quiet();
    expect(statuses).toEqual([...Array(MEASUREMENTS_PER_MINUTE).fill(503), 429, 429]);
    expect(byHost.b.asked.every(isProbe)).toBe(true);
  });
});

describe("a fingerprint", () => {
  test("of an id that a caller chose is forgotten after nobody has paid for it for a month, and no other", async () => {
    let now = Date.UTC(2027, 0, 1);
    const { open, quiet } = vendors(
      `${LONE.replace("models: {", 'models: { "x-*": { routes: [ { provider: a } ], dimensions: 8 },')}`,
    );
    await using gateway = await open({ outside: { now: () => now, monotonic: () => now } });
    const ask = async (model: string) => {
      expect((await gateway.post({ model, input: String(now) })).status).toBe(200);
      await quiet();
    };
    for (const model of ["m", "x-once", "x-often"]) await ask(model);
    expect(await spacesOf(gateway)).toEqual([
      { name: "m", paid_at: null },
      { name: "x-often", paid_at: now },
      { name: "x-once", paid_at: now },
    ]);
    now += 20 * DAY_MS;
    await ask("x-often");
    now += 20 * DAY_MS;
    await ask("x-new");
    expect(await namesOf(gateway)).toEqual(["m", "x-new", "x-often"]);
  });

  test("of an id that was measured and never answered is forgotten after an hour", async () => {
    let now = Date.UTC(2027, 0, 1);
    const { open, byHost, quiet } = vendors(PATTERN);
    byHost.b.vectorOf = otherModel;
    await using gateway = await open({ outside: { now: () => now, monotonic: () => now } });
    const insisting = { "x-embedgate-provider": "b" };
    expect((await gateway.post({ model: "odd", input: "a" }, insisting)).status).toBe(503);
    await quiet();
    expect(await spacesOf(gateway)).toEqual([{ name: "odd", paid_at: 0 }]);
    now += 3_600_001;
    await gateway.post({ model: "even", input: "a" });
    await quiet();
    expect(await namesOf(gateway)).toEqual(["even"]);
  });

  test("of an id that is added to the routing file is kept for good", async () => {
    const { open, quiet } = vendors(PATTERN);
    await using before = await open();
    const paid = async () => {
      const stores = await before.lasting().beside();
      return stores
        .openFingerprints()
        .list()
        .map(({ space, paidAt }) => [space, paidAt]);
    };
    for (const yaml of [PATTERN, LONE]) {
      const { open: again, quiet: over } = vendors(lastingYaml(yaml, before));
      await using gateway = await again();
      await gateway.post({ model: "m", input: "a" });
      await over();
      expect(await paid()).toEqual([["m", yaml === LONE ? null : expect.any(Number)]]);
    }
    await quiet();
  });
});

test.skipIf(onSqliteAlone("sets the number lower than a gateway's; stores/spaces.test.ts has the others"))(
  "of caller-chosen ids only a limited number is kept: those paid for most recently",
  async () => {
    const store = await openStore(":memory:", realOutside);
    const fingerprints = openFingerprints(store, 3);
    const vectors = PROBES.map(() => Float32Array.of(0.6, 0.8));
    const about = { vectors, dimensions: 2, provider: "a", model: "m", confirmed: true };
    const keep = (space: string, measuredAt: number, paidAt: number | null) =>
      fingerprints.keep({ ...about, space, measuredAt, paidAt });
    await keep("named", 1, null);
    for (let i = 1; i <= 3; i++) await keep(`id-${i}`, i, i);
    await fingerprints.paid("id-1", 9);
    for (let i = 4; i <= 5; i++) await keep(`id-${i}`, i, i);
    expect(fingerprints.list().map(({ space }) => space)).toEqual(["id-1", "id-4", "id-5", "named"]);
    store.close();
  },
);

test("a request that is refused before its hold causes no measurement; one with a hold causes those that are due", async () => {
  const { open, byHost, quiet } = vendors(LONE);
  let monotonic = 0;
  await using gateway = await open({ outside: { monotonic: () => monotonic } });
  await gateway.post({ model: "m", input: "a" });
  await quiet();
  const headers = await keyWith(gateway, "penniless", 0n);
  const { key } = await gateway.gateway.keys.create("k", "rich");
  monotonic += DAY_MS;
  expect((await gateway.post({ model: "m", input: "a" }, headers)).status).toBe(402);
  await quiet();
  expect(byHost.a.asked).toEqual([["a"], SHORT_TEXTS, [LONG_TEXT]]);
  byHost.a.vectorOf = rightModel;
  await gateway.post({ model: "m", input: "b" }, { authorization: `Bearer ${key}` });
  await quiet();
  expect(byHost.a.asked).toHaveLength(6);
});
