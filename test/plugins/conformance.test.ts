/**
 * The suite itself: a plugin that fulfils the contract passes all of it, and every violation is reported with a message that says what to do.
 * A new check of src/conformance/ needs a row of BROKEN: a check that nothing fails proves nothing.
 */
import { describe, expect, test } from "bun:test";
import { exactVector } from "../../plugins/fake";
import { recorder, replayer } from "../../src/conformance/recording";
import { type Outcome, report } from "../../src/conformance/report";
import type { Answering, Subject } from "../../src/conformance/subject";
import type { EmbedCall, EmbedReply, Host, Plugin, PostCall, Provider } from "../../src/plugin";
import { fakeOutside } from "../fake-outside";

const KEY = "key-5d1c80fe22ab71c9";
const URL = "https://made.up/v2/vectors";

/** POST {texts, model, task?} → {vectors: [{index, numbers}], tokens}; an upstream that the suite knows nothing else about. */
const vendor: Answering = {
  fetch: async (url, init) => {
    if (new Headers(init.headers).get("authorization") !== `Bearer ${KEY}` || !url.startsWith(URL))
      return Response.json({ error: "no" }, { status: 401 });
    const { texts, task = "" }: { texts: string[]; task?: string } = JSON.parse(String(init.body));
    const vectors = texts.map((text, index) => ({ index, numbers: [...exactVector(task + text, 32)] }));
    return Response.json({ vectors, tokens: texts.join(" ").split(/\s+/).length });
  },
};

interface Parts {
  readonly host: Host;
  readonly call: EmbedCall;
  readonly post: PostCall;
  readonly reply: (bytes: Uint8Array) => EmbedReply;
}

/** The correct plugin, with the given changes. */
function made(
  embed: (parts: Parts) => Promise<EmbedReply> = async ({ host, post, reply }) =>
    reply((await host.post(post)).bytes),
  changed: (host: Host) => Partial<Provider> = () => ({}),
): Plugin {
  return (host) => {
    const { t } = host;
    const Reply = t.Object({
      vectors: t.Array(t.Object({ index: t.Integer(), numbers: t.Array(t.Number()) })),
      tokens: t.Integer(),
    });
    const reply = (bytes: Uint8Array): EmbedReply => {
      const { vectors, tokens } = host.read(Reply, bytes);
      const values = vectors.map(({ index, numbers }) => ({ index, values: host.vector(numbers) }));
      return { vectors: values, tokens, tokensSource: "provider" };
    };
    return {
      ...host.provider({
        id: "made-up",
        options: t.Object({ api_key: t.String() }),
        tasks: { words: { query: "q" } },
        open: ({ api_key }) => ({
          embed(call) {
            const { extraBody, model, inputs, task, signal } = call;
            const body = { ...extraBody, model, texts: inputs, ...(task === undefined ? {} : { task }) };
            const post = { url: URL, headers: { authorization: `Bearer ${api_key}` }, body, signal };
            return embed({ host, call, post, reply });
          },
        }),
      }),
      ...changed(host),
    };
  };
}

const subjectOf = (plugin: Plugin, answering = vendor): Subject => ({
  plugin,
  options: { api_key: KEY },
  model: "some-model",
  vendor: answering,
  secrets: [KEY],
});

async function outcomesOf(subject: Subject): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  await report(subject, fakeOutside().outside, (outcome) => outcomes.push(outcome));
  return outcomes;
}

/** What a plugin says that it cannot do is not tried; everything else must be right. */
const isLacking = ({ outcome, why }: Outcome) =>
  outcome !== "right" && !why.startsWith("describe() names no");

const wrongs = async (plugin: Plugin) =>
  (await outcomesOf(subjectOf(plugin))).filter(({ outcome }) => outcome === "wrong");

test("a plugin that fulfils the contract passes all of it, without knowing the vendor", async () => {
  const outcomes = await outcomesOf(subjectOf(made()));
  expect(outcomes.filter(isLacking)).toEqual([]);
  expect(outcomes.length).toBeGreaterThan(90);
});

const changing = (change: (reply: EmbedReply) => EmbedReply) =>
  made(async ({ host, post, reply }) => change(reply((await host.post(post)).bytes)));
const posting = (change: (parts: Parts) => PostCall) =>
  made(async (parts) => parts.reply((await parts.host.post(change(parts))).bytes));

const BROKEN: readonly (readonly [string, Plugin, check: string, words: string])[] = [
  [
    "drops an input",
    changing((reply) => ({ ...reply, vectors: reply.vectors.slice(0, 1) })),
    "one vector for each input",
    "It returned 1 vectors for 2 inputs",
  ],
  [
    "gives every vector the index 0",
    changing((reply) => ({ ...reply, vectors: reply.vectors.map(({ values }) => ({ index: 0, values })) })),
    "one vector for each input",
    "expected each of 0 to 1 once",
  ],
  [
    "mixes up the vectors",
    changing((reply) => ({
      ...reply,
      vectors: reply.vectors.map(({ values }, place, all) => ({ index: all.length - 1 - place, values })),
    })),
    "one vector for each input",
    "belongs to another text",
  ],
  [
    "counts the places of the list instead of reading the index",
    changing((reply) => ({
      ...reply,
      vectors: reply.vectors.map(({ values }, index) => ({ index, values })),
    })),
    "a reply in another order",
    "it must return that index",
  ],
  [
    "counts the tokens of each input otherwise than those of all",
    changing((reply) => ({ ...reply, tokens: 5, tokensByInput: [3, 3] })),
    "tokens is an integer",
    "which add up to tokens (5)",
  ],
  [
    "guesses the tokens",
    changing((reply) => ({ ...reply, tokens: 0.5 })),
    "tokens is an integer",
    "or undefined if unknown",
  ],
  [
    "asks twice",
    made(async ({ host, post, reply }) => {
      await host.post(post);
      return reply((await host.post(post)).bytes);
    }),
    "one embed() call sends one JSON POST",
    "send one. The gateway splits and retries",
  ],
  [
    "tries again by itself",
    made(async ({ host, post, reply }) => reply((await host.post(post).catch(() => host.post(post))).bytes)),
    "an HTTP error becomes the right error kind, keeps",
    "The gateway retries",
  ],
  [
    "forgets the signal",
    posting(({ post }) => ({ ...post, signal: new AbortController().signal })),
    "aborting the signal ends the call",
    "pass call.signal to host.post",
  ],
  [
    "sends the key in the address",
    posting(({ post }) => ({ ...post, url: `${URL}?key=${KEY}` })),
    "secrets are sent in headers only",
    "send secrets in headers only",
  ],
  [
    "leaves extra_body out",
    posting(({ post, call }) => ({
      ...post,
      body: { model: call.model, texts: call.inputs, task: call.task },
    })),
    "extra_body is merged",
    "did not reach the body",
  ],
  [
    "lets extra_body replace what it sets",
    posting(({ post, call }) => ({ ...post, body: { ...Object(post.body), ...call.extraBody } })),
    "extra_body is merged",
    "call.extraBody replaced 'model'",
  ],
  [
    "forgets the task",
    posting(({ post, call }) => ({
      ...post,
      body: { model: call.model, texts: call.inputs, ...call.extraBody },
    })),
    "each task word is sent",
    "send call.task",
  ],
  [
    "calls every refusal an outage",
    posting(({ post }) => ({ ...post, explain: () => ({ kind: "unavailable" }) })),
    "an HTTP error becomes the right error kind, keeps",
    "leave the status to host.post",
  ],
  [
    "tells a refusal in words of its own",
    posting(({ post }) => ({ ...post, explain: () => ({ message: "It did not work." }) })),
    "an HTTP error becomes the right error kind, keeps",
    "Its message lacks",
  ],
  [
    "throws an error of its own",
    made(async ({ host, post, reply }) =>
      reply(
        (
          await host.post(post).catch(() => {
            throw new TypeError("undefined is not a vector");
          })
        ).bytes,
      ),
    ),
    "an HTTP error becomes the right error kind, keeps",
    "made with host.failure(kind, message)",
  ],
  [
    "reads whatever comes",
    made(async ({ host, call, post }) => {
      const { bytes } = await host.post(post);
      const text = new TextDecoder().decode(bytes);
      const vectors = text.includes("numbers") ? JSON.parse(text).vectors : [];
      return {
        vectors: call.inputs.map((_, index) => ({
          index,
          values: host.vector(vectors[index]?.numbers ?? [0.1, 0.2]),
        })),
        tokens: undefined,
        tokensSource: "provider",
      };
    }),
    "a broken reply becomes the right error kind",
    "It returned a reply where it must fail",
  ],
  [
    "declares a key of the gateway's",
    made(undefined, ({ t }) => ({
      options: t.Object({ api_key: t.String(), retries: t.Optional(t.Integer()) }),
    })),
    "options is an object schema",
    "which is a key of the gateway",
  ],
  [
    "has a name that no routing file can say",
    made(undefined, () => ({ id: "Made Up" })),
    "id is lower case letters",
    "it must be lower case letters",
  ],
  [
    "says of a model what is no fact",
    made(undefined, (host) => {
      const { open } = made()(host);
      return { open: (options) => ({ ...open(options), describe: () => ({ max_inputs: 0 }) }) };
    }),
    "describe() returns known facts only",
    "max_inputs",
  ],
  [
    "opens nothing twice",
    made(undefined, (host) => {
      const { open } = made()(host);
      let only: ReturnType<typeof open> | undefined;
      return {
        open(options) {
          only ??= open(options);
          return only;
        },
      };
    }),
    "open() makes no network call",
    "each provider must have its own",
  ],
];

describe("a plugin that", () => {
  test.each(BROKEN)("%s is reported", async (_, plugin, check, words) => {
    const told = (await wrongs(plugin)).filter((outcome) => outcome.check.startsWith(check));
    expect(told.map(({ why }) => why).join("\n")).toContain(words);
  });
});

test("an upstream that returns no vectors is reported once, and checks that need them are skipped", async () => {
  const down: Answering = { fetch: async () => Response.json({ error: "out of service" }, { status: 503 }) };
  const outcomes = await outcomesOf(subjectOf(made(), down));
  expect(outcomes[0]).toMatchObject({ outcome: "wrong", why: expect.stringContaining("out of service") });
  expect(outcomes.filter(({ outcome }) => outcome === "wrong")).toHaveLength(1);
  expect(outcomes.filter(({ outcome }) => outcome === "skipped").length).toBeGreaterThan(10);
  expect(outcomes.filter(({ outcome }) => outcome === "right").length).toBeGreaterThan(50);
});

test("a recording answers like the upstream, contains no key, and says if it has no answer", async () => {
  const live = recorder(vendor.fetch, []);
  await outcomesOf(subjectOf(made(), { fetch: live.fetch }));
  const file: unknown = JSON.parse(JSON.stringify(live.recording()));
  expect(JSON.stringify(file)).not.toContain(KEY);
  const again = await outcomesOf(subjectOf(made(), { fetch: replayer(file, []) }));
  expect(again.filter(isLacking)).toEqual([]);
  const other = { ...subjectOf(made(), { fetch: replayer(file, []) }), model: "another-model" };
  const [first] = await outcomesOf(other);
  expect(first?.why).toContain("The recording has no answer to POST https://made.up/v2/vectors");
  expect(() => replayer({ exchanges: [{ url: 1 }] }, [])).toThrow("The recording is not valid");
});

test("a recording contains no token that the vendor issued, and nothing that a URL calls a key", async () => {
  const live = recorder(async (url) => {
    if (url.includes("/token")) return Response.json({ access_token: "ya29.made-up-token" });
    return new Response("the token ya29.made-up-token of me:swordfish and AIzaMadeUp", { status: 403 });
  }, []);
  const asked = { method: "POST", body: "{}" };
  await live.fetch("https://me:swordfish@made.up/token?api_key=AIzaMadeUp", asked);
  await live.fetch("https://made.up/v1", {
    ...asked,
    headers: { authorization: "Bearer ya29.made-up-token" },
  });
  const file = JSON.stringify(live.recording());
  for (const secret of ["ya29", "swordfish", "AIzaMadeUp"]) expect(file).not.toContain(secret);
  const replay = replayer(JSON.parse(file), []);
  const again = await replay("https://me:swordfish@made.up/token?api_key=AIzaMadeUp", asked);
  expect(await again.json()).toEqual({ access_token: "[redacted]" });
});
