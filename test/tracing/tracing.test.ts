/**
 * Traces as a collector receives them: a real gateway, with a fake collector and provider.
 */
import { describe, expect, test } from "bun:test";
import { type Static, Type } from "@sinclair/typebox";
import { Value } from "@sinclair/typebox/value";
import { realOutside } from "../../src/network/real-outside";
import { batchesOf, ENDPOINT, inputOf } from "../batches/opened";
import { type OpenGateway, openGateway } from "../gateway";

const Attribute = Type.Object({
  key: Type.String(),
  value: Type.Object({
    stringValue: Type.Optional(Type.String()),
    intValue: Type.Optional(Type.Union([Type.Number(), Type.String()])),
    arrayValue: Type.Optional(Type.Unknown()),
  }),
});
const Span = Type.Object({
  traceId: Type.String(),
  spanId: Type.String(),
  parentSpanId: Type.Optional(Type.String()),
  name: Type.String(),
  kind: Type.Number(),
  links: Type.Optional(Type.Array(Type.Object({ traceId: Type.String(), spanId: Type.String() }))),
  attributes: Type.Array(Attribute),
  status: Type.Object({ code: Type.Optional(Type.Number()) }),
});
const Exported = Type.Object({
  resourceSpans: Type.Array(
    Type.Object({
      resource: Type.Object({ attributes: Type.Array(Attribute) }),
      scopeSpans: Type.Array(Type.Object({ spans: Type.Array(Span) })),
    }),
  ),
});

const told = (attributes: readonly Static<typeof Attribute>[]) =>
  Object.fromEntries(
    attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.arrayValue]),
  );

function spansIn(bodies: readonly string[]) {
  return bodies.flatMap((body) =>
    Value.Parse(Exported, JSON.parse(body)).resourceSpans.flatMap(({ resource, scopeSpans }) =>
      scopeSpans.flatMap(({ spans }) =>
        spans.map((span) => ({
          ...span,
          service: told(resource.attributes)["service.name"],
          said: told(span.attributes),
        })),
      ),
    ),
  );
}

const Asked = Type.Object({ input: Type.Array(Type.String()) });

type Network = ReturnType<typeof network>;

/** A provider at /v1, and a collector at /v1/traces. Their answers are used in order; after that it is 200. */
function network() {
  const asked: Headers[] = [];
  const bodies: string[] = [];
  const exports: Headers[] = [];
  const collectorSays: number[] = [];
  const providerSays: number[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      if (new URL(request.url).pathname === "/v1/traces") {
        const status = collectorSays.shift() ?? 200;
        exports.push(request.headers);
        const body = await request.text();
        if (status === 200) bodies.push(body);
        return new Response("{}", { status });
      }
      asked.push(request.headers);
      const { input } = Value.Parse(Asked, await request.json());
      const status = providerSays.shift() ?? 200;
      if (status !== 200) return new Response("down", { status });
      return Response.json({
        object: "list",
        // Without `model` where it is asked for two texts.
        ...(input.length !== 2 && { model: "small-one-2026" }),
        data: input.map((_, index) => ({ object: "embedding", index, embedding: [0.6, 0.8] })),
        usage: { prompt_tokens: 2 * input.length, total_tokens: 2 * input.length },
      });
    },
  });
  return {
    port: server.port ?? 0,
    asked,
    bodies,
    exports,
    collectorSays,
    providerSays,
    spans: () => spansIn(bodies),
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

const yaml = (port: number, more = "", provider = "") => `
providers:
  one: { plugin: openai, base_url: "http://127.0.0.1:${port}/v1", api_key: sk-provider-secret${provider} }
models:
  m: { dimensions: 2, price: 0.02, routes: [ { provider: one, model: small-one } ] }
space_probe: false
tracing: { endpoint: "http://127.0.0.1:${port}"${more} }
`;

/** Opens a gateway, runs the test's requests, and closes it, which sends everything that is left. */
async function traced(
  { port }: Network,
  work: (open: OpenGateway) => Promise<unknown>,
  more?: string,
  provider?: string,
) {
  await using open = await openGateway({
    yaml: yaml(port, more, provider),
    environment: { OTLP_TOKEN: "otlp-secret" },
    outside: { random: () => 0 },
  });
  await work(open);
}

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;

describe("a request's trace", () => {
  test("has one span for it and one for its call, with the attributes of OpenTelemetry's conventions", async () => {
    await using net = network();
    await traced(net, (open) => open.post({ model: "m", input: "the-text-itself" }));
    const spans = net.spans();
    expect(spans.map(({ name, kind }) => [name, kind])).toEqual([
      ["embeddings small-one", 3],
      ["embeddings m", 2],
    ]);
    const [call, request] = spans;
    expect(call?.traceId).toBe(request?.traceId ?? "");
    expect(call?.parentSpanId).toBe(request?.spanId ?? "");
    expect(request?.service).toBe("embedgate");
    expect(call?.said).toMatchObject({
      "gen_ai.operation.name": "embeddings",
      "gen_ai.provider.name": "openai",
      "gen_ai.request.model": "small-one",
      "gen_ai.response.model": "small-one-2026",
      "gen_ai.request.encoding_formats": { values: [{ stringValue: "float" }] },
      "gen_ai.embeddings.dimension.count": 2,
      "gen_ai.usage.input_tokens": 2,
      "server.address": "127.0.0.1",
      "server.port": net.port,
      "http.response.status_code": 200,
      "embedgate.provider": "one",
    });
    expect(request?.said).toMatchObject({
      "gen_ai.operation.name": "embeddings",
      "gen_ai.provider.name": "embedgate",
      "gen_ai.request.model": "m",
      "gen_ai.request.encoding_formats": { values: [{ stringValue: "float" }] },
      "gen_ai.usage.input_tokens": 2,
      "gen_ai.embeddings.dimension.count": 2,
      "http.request.method": "POST",
      "url.path": "/v1/embeddings",
      "url.scheme": "http",
      "http.response.status_code": 200,
      "embedgate.inputs": 1,
    });
  });

  test("says only what is known: no name of the model where the answer has none, nothing of an answer where there is none", async () => {
    await using net = network();
    net.providerSays.push(500);
    await traced(net, (open) => open.post({ model: "m", input: ["a", "b"] }));
    const [failed, call] = net.spans();
    expect(failed?.said["error.type"]).toBe("unavailable");
    expect(Object.keys(call?.said ?? {})).not.toContain("gen_ai.response.model");
    for (const name of [
      "gen_ai.response.model",
      "gen_ai.embeddings.dimension.count",
      "gen_ai.usage.input_tokens",
    ])
      expect(Object.keys(failed?.said ?? {})).not.toContain(name);
  });

  test("continues the caller's trace, and is passed to the provider, with the caller's tracestate", async () => {
    await using net = network();
    await traced(net, (open) =>
      open.post({ model: "m", input: "a" }, { traceparent: PARENT, tracestate: "vendor=opaque" }),
    );
    const [call, request] = net.spans();
    expect(request?.traceId).toBe(TRACE);
    expect(request?.parentSpanId).toBe("b7ad6b7169203331");
    expect(net.asked[0]?.get("traceparent")).toBe(`00-${TRACE}-${call?.spanId}-01`);
    expect(net.asked[0]?.get("tracestate")).toBe("vendor=opaque");
  });

  test.each([
    "",
    "00",
    `00-${TRACE}-b7ad6b7169203331`,
    `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
    `00-${TRACE}-${"0".repeat(16)}-01`,
    `ff-${TRACE}-b7ad6b7169203331-01`,
    `00-${TRACE.toUpperCase()}-b7ad6b7169203331-01`,
    `00-${TRACE}-b7ad6b7169203331-01-more`,
    "x".repeat(300),
  ])("begins anew where the caller's traceparent is malformed: %p", async (traceparent) => {
    await using net = network();
    await traced(net, async (open) => {
      const headers = { traceparent, tracestate: "vendor=opaque" };
      expect((await open.post({ model: "m", input: "a" }, headers)).status).toBe(200);
    });
    const [call, request] = net.spans();
    expect(request?.traceId).not.toBe(TRACE);
    expect(request?.parentSpanId ?? "").toBe("");
    expect(net.asked[0]?.get("traceparent")).toBe(`00-${request?.traceId}-${call?.spanId}-01`);
    expect(net.asked[0]?.has("tracestate")).toBe(false);
  });

  test("is sampled like the caller's, and by `sample` if there is none; ids are passed on either way", async () => {
    await using net = network();
    const work = async (open: OpenGateway) => {
      await open.post({ model: "m", input: "a" });
      await open.post({ model: "m", input: "a" }, { traceparent: PARENT.replace(/01$/, "00") });
      await open.post({ model: "m", input: "a" }, { traceparent: PARENT });
    };
    await traced(net, work, ", sample: 0");
    expect(net.spans().map(({ traceId }) => traceId)).toEqual([TRACE, TRACE]);
    expect(net.asked.map((headers) => headers.get("traceparent")?.slice(-2))).toEqual(["00", "00", "01"]);
    expect(net.asked[1]?.get("traceparent")).toStartWith(`00-${TRACE}-`);
  });

  test("has a span for each call, with its error", async () => {
    await using net = network();
    net.providerSays.push(500);
    await traced(net, async (open) => {
      await open.post({ model: "m", input: "a" });
      await open.post({ model: "nobody-has-it", input: "a" });
    });
    const said = net.spans().map(({ name, status, said }) => [name, said["error.type"], status.code ?? 0]);
    expect(said).toEqual([
      ["embeddings small-one", "unavailable", 2],
      ["embeddings small-one", undefined, 0],
      ["embeddings m", undefined, 0],
      ["embeddings nobody-has-it", "model_not_found", 0],
    ]);
  });

  test("is linked to a call that it shares with others, and the call is in the trace of one that is recorded", async () => {
    await using net = network();
    const parents = ["00", "01", "01"].map(
      (flags, i) => `00-${TRACE.slice(0, -1)}${i}-b7ad6b7169203331-${flags}`,
    );
    await traced(
      net,
      (open) =>
        Promise.all(
          parents.map((traceparent, i) => open.post({ model: "m", input: `text ${i}` }, { traceparent })),
        ),
      "",
      ", coalesce_ms: 20",
    );
    expect(net.asked).toHaveLength(1);
    const [calls, requests] = [
      net.spans().filter(({ kind }) => kind === 3),
      net.spans().filter(({ kind }) => kind === 2),
    ];
    const [call] = calls;
    expect([calls.length, requests.length]).toEqual([1, 2]);
    const own = requests.find(({ spanId }) => spanId === call?.parentSpanId);
    const other = requests.find((one) => one !== own);
    expect(own?.traceId).toBe(call?.traceId);
    expect(call?.said["embedgate.inputs"]).toBe(3);
    // Also to the request that is not recorded, as its caller may record it.
    expect(call?.links?.map(({ traceId }) => traceId).sort()).toEqual(
      [`${TRACE.slice(0, -1)}0`, other?.traceId ?? ""].sort(),
    );
    expect(other?.links).toMatchObject([{ traceId: call?.traceId, spanId: call?.spanId }]);
    expect(own?.links ?? []).toEqual([]);
  });

  test("of a batch has a span for each call of its lines, and none for each line", async () => {
    await using net = network();
    const lines = Array.from({ length: 90 }, (_, i) => `text ${i}`);
    await traced(net, async (open) => {
      await open.gateway.batches?.runner.start(true);
      const batching = batchesOf(open);
      const file = await batching.upload(inputOf(lines));
      const { id } = await batching.create({ ...ENDPOINT, input_file_id: file.id });
      expect(await batching.ended(id)).toMatchObject({ status: "completed" });
    });
    const spans = net.spans();
    const batch = spans.find(({ name }) => name === "batch");
    const calls = spans.filter(({ kind }) => kind === 3);
    expect(batch?.said).toMatchObject({
      "embedgate.batch.lines": 90,
      "embedgate.batch.lines_completed": 90,
      "embedgate.batch.lines_failed": 0,
      "gen_ai.usage.input_tokens": 180,
      "embedgate.workspace": "default",
    });
    expect(calls.length).toBe(net.asked.length);
    expect(calls.length).toBeLessThan(30);
    for (const { traceId, parentSpanId, links } of calls)
      expect([traceId, parentSpanId, links ?? []]).toEqual([batch?.traceId, batch?.spanId, []]);
    expect(calls.reduce((sum, { said }) => sum + Number(said["embedgate.inputs"]), 0)).toBe(90);
    expect(net.bodies.join("")).not.toContain("text 1");
  });

  test("contains no text and no secret, and the collector gets the headers of the routing file", async () => {
    await using net = network();
    const secrets = ["the-text", "the-user", "b-meta", "sk-provider-secret", "otlp-secret"];
    const work = async (open: OpenGateway) => {
      const { key } = await open.gateway.keys.create("app", "team-a");
      secrets.push(key);
      const headers = { authorization: `Bearer ${key}` };
      const body = { model: "m", input: "the-text-itself", user: "the-user", metadata: { a: "b-meta" } };
      await open.post(body, headers);
      await open.post({ ...body, dimensions: -1 }, headers);
    };
    await traced(net, work, ', headers: { authorization: "Bearer ${OTLP_TOKEN}" }');
    expect(net.exports[0]?.get("authorization")).toBe("Bearer otlp-secret");
    const sent = net.bodies.join("");
    for (const word of secrets) expect(sent).not.toContain(word);
    expect(sent).toContain("team-a");
  });
});

describe("a collector that fails", () => {
  test("affects no answer; there is a log line for each change, and losses are counted", async () => {
    await using net = network();
    const alarms: (() => void)[] = [];
    const open = await openGateway({
      yaml: yaml(net.port),
      outside: {
        alarm(ms, ring) {
          if (ms !== 2_000 && ms !== 4_000) return realOutside.alarm(ms, ring);
          // The test itself fires the queue's alarms.
          alarms.push(ring);
          return () => undefined;
        },
      },
    });
    const lines = () =>
      open.logs.map(({ message }) => message).filter((message) => message.includes("trace"));
    const dropped = async () =>
      /^embedgate_trace_spans_dropped_total (\d+)$/m.exec((await open.send("/metrics")).text)?.[1];
    net.collectorSays.push(503, 400);
    expect((await open.post({ model: "m", input: "a" })).status).toBe(200);
    alarms.shift()?.();
    while (alarms.length === 0) await realOutside.turn?.();
    expect(lines()).toEqual(["traces cannot be exported: further spans are dropped once the queue is full"]);
    expect(await dropped()).toBe("0");
    // Refused permanently: both of its spans are lost, without a further line.
    alarms.shift()?.();
    while ((await dropped()) === "0") await realOutside.turn?.();
    expect(await dropped()).toBe("2");
    expect(lines()).toHaveLength(1);
    expect((await open.post({ model: "m", input: "b" })).status).toBe(200);
    await open[Symbol.asyncDispose]();
    expect(lines()[1]).toBe("traces are exported again");
    expect(net.spans()).toHaveLength(2);
  });
});

describe("without `tracing`", () => {
  test("nothing is sent, and nothing is passed on to the provider", async () => {
    await using net = network();
    const off = yaml(net.port).replace(/^tracing.*$/m, "");
    const open = await openGateway({ yaml: off });
    expect((await open.post({ model: "m", input: "a" }, { traceparent: PARENT })).status).toBe(200);
    await open[Symbol.asyncDispose]();
    expect(net.exports).toEqual([]);
    expect(net.asked[0]?.has("traceparent")).toBe(false);
  });

  test("nothing of OpenTelemetry is loaded", async () => {
    const script = `
      const loaded = () => Object.keys(require.cache).some((path) => path.includes("@opentelemetry"));
      await import("./src/gateway.ts");
      const before = loaded();
      await import("./src/tracing/spans.ts");
      console.log(before, loaded());`;
    const run = Bun.spawn([process.execPath, "-e", script], { cwd: `${import.meta.dir}/../..` });
    expect((await new Response(run.stdout).text()).trim()).toBe("false true");
  });
});
