/**
 * Every row of plugins/openai-hosts.ts: the conformance suite against a fake as strict as that vendor, with OpenAI's SDK as the oracle for
 * its requests. A new row needs a fake in vendors/openai-hosts.ts, and nothing here.
 */
import { describe, expect, test } from "bun:test";
import OpenAI from "openai";
import { OPENAI_HOST_PLUGINS, OPENAI_HOSTS } from "../../plugins/openai-hosts";
import type { EmbedCall, Plugin } from "../../src/plugin";
import { openGateway } from "../gateway";
import { conformance, type Subject } from "./conformance";
import { createNetwork } from "./conformance/network";
import { callFor, failureOf, openSubject } from "./conformance/subject";
import { HOSTS, hostOf, openaiHostVendor } from "./vendors/openai-hosts";

const IDS = Object.keys(OPENAI_HOSTS);
const NEVER: Plugin = () => {
  throw new Error("no such row");
};

function subjectOf(id: string): Subject {
  const { key, model, tasks, url } = hostOf(id);
  const { origin } = new URL(url);
  return {
    plugin: OPENAI_HOST_PLUGINS[id] ?? NEVER,
    options: key === undefined ? {} : { api_key: key },
    model: tasks ? `${model}-passage` : model,
    vendor: openaiHostVendor(id),
    secrets: key === undefined ? [] : [key],
    addresses: [
      [{}, url],
      [{ base_url: origin }, url],
      [{ base_url: `${url.replace("/embeddings", "")}/` }, url],
      [{ base_url: "https://proxy.example/team//" }, "https://proxy.example/team/embeddings"],
    ],
  };
}

test("each row has its fake, and each fake its row", () => {
  expect(Object.keys(HOSTS).sort()).toEqual([...IDS].sort());
});

describe.each(IDS)("%s", (id) => {
  const subject = subjectOf(id);
  const host = hostOf(id);
  const words = (count: number) => new Array(count).fill("word").join(" ");

  // NVIDIA's asymmetric model is called with the task in its name: tasks in a field are tested below.
  conformance({ ...subject, plugin: host.tasks ? withoutTasks(subject.plugin) : subject.plugin });

  test("our request is the SDK's, without the fields that the vendor refuses", async () => {
    const { upstream, network } = openSubject(subject);
    const call: Partial<EmbedCall> = { user: "end-7", wireEncoding: "float" };
    await upstream.embed(callFor(subject, ["one", "two"], call));
    const sent: { url: string; init: RequestInit }[] = [];
    const client = new OpenAI({
      apiKey: host.key ?? "none",
      baseURL: host.url.replace("/embeddings", ""),
      maxRetries: 0,
      fetch: (url, init = {}) => {
        sent.push({ url: String(url), init });
        return openaiHostVendor(id).fetch(String(url), { ...init, body: JSON.stringify(taken(init.body)) });
      },
    });
    const taken = (body: unknown) =>
      Object.fromEntries(
        Object.entries(JSON.parse(String(body))).filter(([name]) =>
          ["model", "input", ...host.fields].includes(name),
        ),
      );
    const { data } = await client.embeddings.create({
      model: subject.model,
      input: ["one", "two"],
      user: "end-7",
      encoding_format: "float",
    });
    expect(data.map(({ embedding }) => [...Float32Array.from(embedding)])).toEqual(
      ["one", "two"].map((text) => [...openaiHostVendor(id).vectorOf(text)]),
    );
    const [ours] = network.requests;
    expect(ours?.url).toBe(sent[0]?.url ?? "");
    const { truncate: _, ...body } = JSON.parse(ours?.body ?? "");
    expect(body).toEqual(taken(sent[0]?.init.body));
    if (host.key !== undefined)
      expect(ours?.headers.get("authorization")).toBe(
        new Headers(sent[0]?.init.headers).get("authorization"),
      );
  });

  test("a reply in base64, if the row asks for it, is the same vector", async () => {
    const { upstream } = openSubject(subject);
    const wireEncoding = OPENAI_HOSTS[id]?.facts.wire_encoding ?? "float";
    const { vectors } = await upstream.embed(callFor(subject, ["one"], { wireEncoding }));
    expect(vectors).toEqual([{ index: 0, values: openaiHostVendor(id).vectorOf("one") }]);
  });

  test.skipIf(host.tooLong === undefined)(
    "a text that is too long becomes the right kind of error",
    async () => {
      const { upstream } = openSubject(subject);
      const failure = await failureOf(upstream.embed(callFor(subject, [words((host.tokensMax ?? 0) + 1)])));
      expect(failure.kind).toBe("input_too_long");
    },
  );

  test("an unknown model is not found, and a wrong key is the operator's problem", async () => {
    const { upstream } = openSubject(subject);
    const unknown = await failureOf(upstream.embed(callFor(subject, ["a"], { model: "no/such" })));
    expect(unknown.kind).toBe("not_found");
    if (host.key === undefined) return;
    const wrong = openSubject(subject, { api_key: "of-somebody-else" }).upstream;
    expect((await failureOf(wrong.embed(callFor(subject, ["a"])))).kind).toBe("unauthorized");
  });

  test("through the gateway each text has its own vector, of unit length, in calls no larger than the vendor allows", async () => {
    const network = createNetwork(openaiHostVendor(id).fetch);
    await using gateway = await openGateway({
      yaml: `
providers:
  there: { plugin: ${id}${host.key === undefined ? "" : `, api_key: ${host.key}`} }
space_probe: false
models:
  m: { routes: [ { provider: there, model: ${subject.model} } ], dimensions: ${host.dimensions}, prompts: false }
`,
      outside: { fetch: network.fetch },
    });
    for (const count of [1, 2, 96, 97, 100, 101, 1100]) {
      const input = Array.from({ length: count }, (_, place) => `text ${count} ${place}`);
      const sent = await gateway.post({ model: "m", input });
      expect(sent.status).toBe(200);
      const data: { embedding: number[] }[] = Object(sent.json).data;
      expect(data).toHaveLength(count);
      for (const [place, text] of input.entries()) {
        const right = openaiHostVendor(id).vectorOf(text);
        const vector = data[place]?.embedding ?? [];
        expect(Math.hypot(...vector)).toBeCloseTo(1, 4);
        expect(vector[0]).toBeCloseTo((right[0] ?? 0) / Math.hypot(...right), 4);
      }
    }
  });
});

/** The tasks of an asymmetric model cannot be tested with a model name that contains the task. */
function withoutTasks(plugin: Plugin): Plugin {
  return (host) => {
    const { tasks: _, ...provider } = plugin(host);
    return provider;
  };
}

describe("NVIDIA's tasks", () => {
  const { model } = hostOf("nim");
  const subject = { ...subjectOf("nim"), model };

  test("a task is a field, or the end of the model's name, and never both", async () => {
    const { upstream, network } = openSubject(subject);
    await upstream.embed(callFor(subject, ["a"], { task: "query" }));
    await upstream.embed(callFor(subject, ["a"], { model: `${model}-query` }));
    await upstream.embed(callFor(subject, ["a"], { model: `${model}-query`, task: "query" }));
    const bodies = network.requests.map(({ body }) => JSON.parse(body));
    expect(bodies.map(({ model, input_type }) => [model, input_type])).toEqual([
      [model, "query"],
      [`${model}-query`, undefined],
      [`${model}-query`, undefined],
    ]);
    const other = upstream.embed(callFor(subject, ["a"], { model: `${model}-query`, task: "passage" }));
    expect(await failureOf(other)).toMatchObject({ kind: "invalid", field: "input_type" });
    const none = upstream.embed(callFor(subject, ["a"]));
    expect((await failureOf(none)).message).toContain("'input_type' parameter is required");
  });

  test("nothing is truncated unless allowed, and truncation is reported", async () => {
    const { upstream, network } = openSubject(subject);
    const long = new Array(600).fill("word").join(" ");
    const told = await upstream.embed(callFor(subject, [long], { task: "passage", longInput: "truncate" }));
    expect(told.truncated).toEqual([0]);
    expect(network.requests.map(({ body }) => JSON.parse(body).truncate)).toEqual(["NONE", "END"]);
  });
});

test("Together returns no count, so the gateway estimates and says so", async () => {
  const host = hostOf("together");
  await using gateway = await openGateway({
    yaml: `
providers: { there: { plugin: together, api_key: ${host.key} } }
space_probe: false
models: { m: { routes: [ { provider: there, model: ${host.model} } ] } }
`,
    outside: { fetch: openaiHostVendor("together").fetch },
  });
  const sent = await gateway.post({ model: "m", input: "sixteen letters!" });
  expect(sent.json).toMatchObject({ usage: { prompt_tokens: 5 } });
  expect(sent.headers.get("x-embedgate-usage")).toBe("estimated");
});
