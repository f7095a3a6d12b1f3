/** Lines that go through a provider's own batch service: submitted once, matched by id only, checked and charged like any other line. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { vectorOf } from "../serving";
import { ON_POSTGRES } from "../stores/on-postgres";
import { ENDPOINT, inputOf, openBatching } from "./opened";
import { geminiService, mistralService } from "./other-services";
import { openaiService, type Service, type Spoiling } from "./services";

const VENDORS = {
  openai: (spoiling?: Spoiling) => openaiService("openai", spoiling),
  voyage: (spoiling?: Spoiling) => openaiService("voyage", spoiling),
  mistral: mistralService,
  gemini: geminiService,
} as const;
type Vendor = keyof typeof VENDORS;
const NAMES = ["openai", "voyage", "mistral", "gemini"] as const satisfies readonly Vendor[];

const yamlOf = (vendor: Vendor, more = "") => `
space_probe: false
providers:
  up: { plugin: ${vendor}, api_key: secret, base_url: "http://up.test" }
models:
  m:
    routes: [ { provider: up, model: up, batch: upstream, batch_price: 500 } ]
    price: 1000
${more}
`;

/** All waits are short; leases are renewed as often, of which each is a query. */
const QUICK = { sleep: async () => Bun.sleep(ON_POSTGRES ? 20 : 1) };
const open = (vendor: Vendor, service: Service, more = "") =>
  openBatching(service.fetch, yamlOf(vendor, more), QUICK);

/** A batch of five lines that the service has accepted and does not finish by itself. */
async function submitted(vendor: Vendor, service: Service) {
  service.endsWhenLooked = false;
  const batching = await open(vendor, service);
  const file = await batching.upload(inputOf(texts(5)));
  const { id } = await batching.create({ input_file_id: file.id, ...ENDPOINT });
  while (service.submitted.length === 0) await Bun.sleep(2);
  return { ...batching, id };
}

const texts = (count: number) => Array.from({ length: count }, (_, i) => `text ${i}`);

function rowsOf(folder: string): Record<string, unknown>[] {
  const database = new Database(join(folder, "data/embedgate.db"), { readonly: true });
  try {
    return database.query<Record<string, unknown>, []>("SELECT * FROM ledger ORDER BY request_id").all();
  } finally {
    database.close();
  }
}

describe.each(NAMES)("by %s", (vendor) => {
  test("every line is answered in order, at the batch's price, and nothing is a live call", async () => {
    const service = VENDORS[vendor]();
    await using batching = await open(vendor, service, "workspace_defaults: { credits: 1 }");
    const file = await batching.upload(inputOf([...texts(40), ["two", "of them", "two"]]));
    const batch = await batching.ended((await batching.create({ input_file_id: file.id, ...ENDPOINT })).id);
    expect(batch).toMatchObject({
      status: "completed",
      request_counts: { total: 41, completed: 41, failed: 0 },
    });
    const lines = await batching.lines(batch.output_file_id);
    expect(lines.map(({ custom_id }) => custom_id)).toEqual(Array.from({ length: 41 }, (_, i) => `c${i}`));
    for (const [i, { response }] of lines.slice(0, 40).entries())
      expect(response?.body.data?.[0]?.embedding).toEqual(vectorOf(`text ${i}`));
    expect(lines[40]?.response?.body.data?.map(({ embedding }) => embedding)).toEqual(
      ["two", "of them", "two"].map(vectorOf),
    );
    expect(service.submitted.toSorted()).toEqual([...texts(40), "two", "of them"].toSorted());
    expect(service.live).toEqual([]);
    const rows = rowsOf(batching.open.folder);
    expect(rows.length).toBe(41);
    // One token per text, at 500 USD per million.
    expect(rows[0]).toMatchObject({
      status: 200,
      provider: "up",
      tokens: 1,
      cost_pico_usd: 500_000_000,
      upstream_pico_usd: 500_000_000,
    });
    expect(await batching.open.gateway.workspaces.show("default")).toMatchObject({
      micro_credits: 1_000_000n - 42n * 500n,
      micro_credits_held: 0n,
    });
  });

  test("a line that is missing, wrong or refused is an error; the others are answered", async () => {
    const service = VENDORS[vendor]({
      spoil(line, text) {
        if (text === "missing") return undefined;
        const written = JSON.stringify(line);
        const vector = JSON.stringify(vectorOf(text));
        if (text === "short")
          return JSON.parse(written.replace(vector, JSON.stringify(vectorOf(text).slice(1))));
        if (text === "zero")
          return JSON.parse(written.replace(vector, JSON.stringify(vectorOf(text).map(() => 0))));
        if (text === "refused")
          return vendor === "gemini"
            ? { metadata: line.metadata, error: { code: 3, message: "no such text" } }
            : {
                custom_id: line.custom_id,
                response: { status_code: 400, body: { error: { message: "no such text" } } },
                error: null,
              };
        return line;
      },
    });
    await using batching = await open(vendor, service, "    dimensions: 8");
    const file = await batching.upload(inputOf(["good", "missing", "short", "zero", "refused", "good too"]));
    const batch = await batching.ended((await batching.create({ input_file_id: file.id, ...ENDPOINT })).id);
    expect(batch.request_counts).toEqual({ total: 6, completed: 2, failed: 4 });
    expect((await batching.lines(batch.output_file_id)).map(({ custom_id }) => custom_id)).toEqual([
      "c0",
      "c5",
    ]);
    const failures = await batching.lines(batch.error_file_id);
    expect(failures.map(({ custom_id, response }) => [custom_id, response?.status_code])).toEqual([
      ["c1", 502],
      ["c2", 502],
      ["c3", 400],
      ["c4", 400],
    ]);
    expect(failures[0]?.response?.body.error?.message).toContain("without a result");
    expect(service.live).toEqual([]);
  });

  test("a submission whose answer was lost is looked up, and not made twice", async () => {
    const service = VENDORS[vendor]();
    service.breaksAfter = true;
    await using batching = await open(vendor, service);
    const file = await batching.upload(inputOf(texts(5)));
    const batch = await batching.ended((await batching.create({ input_file_id: file.id, ...ENDPOINT })).id);
    expect(batch.request_counts).toEqual({ total: 5, completed: 5, failed: 0 });
    expect(service.submitted).toEqual(texts(5));
  });

  test("a gateway that ends while a submission is in flight finds it at the next start", async () => {
    const service = VENDORS[vendor]();
    service.hangsAfter = true;
    await using batching = await open(vendor, service);
    const { gateway } = batching.open;
    const file = await batching.upload(inputOf(texts(5)));
    const { id } = await batching.create({ input_file_id: file.id, ...ENDPOINT });
    while (service.submitted.length === 0) await Bun.sleep(2);
    await gateway.batches?.runner.stop();
    await gateway.batches?.runner.start(true);
    expect((await batching.ended(id)).request_counts).toEqual({ total: 5, completed: 5, failed: 0 });
    expect(service.submitted).toEqual(texts(5));
  });

  test("a batch that was left while its cancellation was awaited is cancelled by the next owner", async () => {
    const service = VENDORS[vendor]();
    await using batching = await submitted(vendor, service);
    const { id } = batching;
    const { gateway } = batching.open;
    service.ignoresCancel = true;
    await batching.open.send(`/v1/batches/${id}/cancel`, { method: "POST" });
    while (service.cancelled.length === 0) await Bun.sleep(2);
    await gateway.batches?.runner.stop();
    expect((await gateway.batches?.find("default", id))?.status).toBe("cancelling");
    service.ignoresCancel = false;
    await gateway.batches?.runner.start(true);
    const batch = await batching.ended(id);
    expect(batch).toMatchObject({ status: "cancelled", request_counts: { completed: 1, failed: 0 } });
  });

  test("is cancelled at the provider, and what was done by then is kept and charged", async () => {
    const service = VENDORS[vendor]();
    await using batching = await submitted(vendor, service);
    const { id } = batching;
    await batching.open.send(`/v1/batches/${id}/cancel`, { method: "POST" });
    const batch = await batching.ended(id);
    expect(batch).toMatchObject({
      status: "cancelled",
      request_counts: { total: 5, completed: 1, failed: 0 },
    });
    expect(service.cancelled.length).toBe(1);
    expect(rowsOf(batching.open.folder).length).toBe(1);
  });

  test("a restart continues to wait for what was submitted", async () => {
    const service = VENDORS[vendor]();
    await using batching = await submitted(vendor, service);
    const { id } = batching;
    const { gateway } = batching.open;
    await gateway.batches?.runner.stop();
    expect((await gateway.batches?.find("default", id))?.status).toBe("in_progress");
    service.endsWhenLooked = true;
    await gateway.batches?.runner.start(true);
    expect((await batching.ended(id)).request_counts).toEqual({ total: 5, completed: 5, failed: 0 });
    expect(service.submitted).toEqual(texts(5));
  });
});

test("lines of other models are called live beside it", async () => {
  const service = openaiService("openai");
  await using batching = await open("openai", service, "  live: { routes: [ { provider: up, model: up } ] }");
  const file = await batching.upload(`${inputOf(["a"])}\n${inputOf(["b"], "live").replace("c0", "c1")}`);
  const batch = await batching.ended((await batching.create({ input_file_id: file.id, ...ENDPOINT })).id);
  expect(batch.request_counts).toEqual({ total: 2, completed: 2, failed: 0 });
  expect([service.submitted, service.live]).toEqual([["a"], ["b"]]);
});

test("submitted lines are not called live, even if the routing file changes meanwhile", async () => {
  const service = openaiService("openai");
  service.endsWhenLooked = false;
  await using batching = await open("openai", service);
  const { gateway } = batching.open;
  const file = await batching.upload(inputOf(texts(3)));
  const { id } = await batching.create({ input_file_id: file.id, ...ENDPOINT });
  while (service.submitted.length === 0) await Bun.sleep(2);
  await gateway.batches?.runner.stop();
  const config = gateway.config();
  const model = config.models.get("m");
  const routes = model?.routes.map((route) => ({ ...route, isBatchUpstream: false })) ?? [];
  if (model) gateway.reload({ ...config, models: new Map([["m", { ...model, routes }]]) });
  service.endsWhenLooked = true;
  await gateway.batches?.runner.start(true);
  expect((await batching.ended(id)).request_counts).toEqual({ total: 3, completed: 3, failed: 0 });
  expect([service.submitted, service.live]).toEqual([texts(3), []]);
});
