/**
 * How answers are sent: the same bytes whether they are printed at once, page by page, or on a worker thread; in order; and whatever fails meanwhile.
 * A wire that answers in another shape is a row of WIRES.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { type Aside, openAside } from "../../src/aside/aside";
import { printPage } from "../../src/printing/print";
import { type Entries, type Page, pagesOf, type Script } from "../../src/printing/script";
import { embeddingObjects } from "../../src/printing/vectors";
import { type Body, printed } from "../../src/request/printing";
import { type OpenGateway, openGateway } from "../gateway";
import { startServing, startUpstream, temporaryFolder, wireTo } from "../serving";

const opened: Aside[] = [];
afterAll(() => {
  for (const aside of opened) aside.close();
});

function open(threads: number): Aside {
  const aside = openAside({ threads, log: () => undefined });
  opened.push(aside);
  return aside;
}

const vectors = Array.from({ length: 300 }, (_, i) =>
  Float32Array.from({ length: 1536 }, (_, j) => Math.sin(i * 1536 + j) / 40),
);
const script = (encoding: Script["encoding"], count = vectors.length): Script => ({
  encoding,
  passages: ['{"data":[', embeddingObjects(vectors.slice(0, count)), '],"model":"größe"}'],
});

/** By JSON, and by the path of a small answer. */
const due = (encoding: Script["encoding"]) =>
  Buffer.concat([...pagesOf(script(encoding))].map((page) => printPage(page))).toString();

function streamOf(body: Body, reader: "server" | "other" = "other"): ReadableStream<Uint8Array> {
  if ("stream" in body) return body.stream(reader);
  throw new Error("it was printed at once");
}

const NO_PAGE: Page = { encoding: "float", vectors: [], words: [] };

/** As a server reads it: what is not sent at once is copied. */
async function copied(body: Body): Promise<string> {
  return new TextDecoder().decode(await new Response(streamOf(body, "server")).arrayBuffer());
}

test("a small answer is printed at once", () => {
  expect(printed(script("base64", 1), open(0))).toBeInstanceOf(Uint8Array);
});

describe("an answer of one text", () => {
  test("is printed while it is sent, and what other readers got is theirs", async () => {
    const aside = open(0);
    const read = async (reader: "server" | "other", count: number) => {
      const pieces: Uint8Array[] = [];
      for await (const piece of streamOf(printed(script("float", count), aside), reader)) pieces.push(piece);
      return pieces;
    };
    const dueOf = (count: number) =>
      Buffer.from(printPage([...pagesOf(script("float", count))][0] ?? NO_PAGE));
    const first = await read("other", 1);
    const second = await read("other", 3);
    expect(Buffer.concat(first).equals(dueOf(1))).toBe(true);
    expect(Buffer.concat(second).equals(dueOf(3))).toBe(true);
    // One after the other, larger and smaller.
    for (const count of [1, 3, 1, 2])
      expect(await copied(printed(script("float", count), aside))).toBe(dueOf(count).toString());
  });

  test("has its own vector, with many under way and clients that read late", async () => {
    const vector = (text: string) =>
      Array.from({ length: 1536 }, (_, i) => Math.fround(Math.sin(Number(text) + i)));
    using upstream = startUpstream({ vector });
    using folder = temporaryFolder({ "gateway.yaml": wireTo(upstream) });
    await using child = await startServing(folder.path);
    const numbers = Array.from({ length: 300 }, (_, i) => i);
    const late = await Promise.all(
      numbers.map(async (number) => {
        const body = JSON.stringify({ model: "m", input: String(number) });
        return {
          number,
          answer: await fetch(`${child.url}/v1/embeddings`, { method: "POST", headers: JSON_BODY, body }),
        };
      }),
    );
    for (const { number, answer } of late) {
      const { data }: { data: { embedding: number[] }[] } = JSON.parse(await answer.text());
      expect(Float32Array.from(data[0]?.embedding ?? [])).toEqual(Float32Array.from(vector(String(number))));
    }
  });
});

describe.each([
  [0, "aside"],
  [1, "aside"],
  [3, "aside"],
  [3, "here"],
])("with %p threads, printed %s", (threads, where) => {
  test.each(["float", "base64"] as const)(
    "a large answer in %p comes in order, each vector its own",
    async (encoding) => {
      const answer = () => printed(script(encoding), open(threads), 0, where === "here");
      const text = await new Response(streamOf(answer())).text();
      expect(text === due(encoding)).toBe(true);
      expect((await copied(answer())) === text).toBe(true);
      const { data }: { data: { index: number; embedding: number[] | string }[] } = JSON.parse(text);
      for (const [place, { index, embedding }] of data.entries()) {
        expect(index).toBe(place);
        const values =
          typeof embedding === "string"
            ? new Float32Array(Uint8Array.fromBase64(embedding).buffer)
            : Float32Array.from(embedding);
        expect(values).toEqual(vectors[place] ?? new Float32Array());
      }
    },
  );
});

test("an answer of much text and few numbers is split into pages too", async () => {
  const lists: Entries = { count: 2000, before: (place) => `[${Array(1500).fill(place)}]` };
  const passages = ["[", lists, "]"];
  const pages = [...pagesOf({ encoding: "float", passages })];
  expect(pages.length).toBeGreaterThan(5);
  const rows: number[][] = JSON.parse(await copied(printed({ encoding: "float", passages }, open(1))));
  expect(rows.map(([first]) => first)).toEqual(Array.from({ length: 2000 }, (_, place) => place));
});

test.each(["closed before", "closed meanwhile"])(
  "the answer is whole where the threads are %s",
  async (when) => {
    const aside = open(2);
    if (when === "closed before") aside.close();
    const body = streamOf(printed(script("float"), aside, 0, false));
    const pieces: Uint8Array[] = [];
    for await (const piece of body) {
      pieces.push(piece);
      aside.close();
    }
    expect(Buffer.concat(pieces).toString() === due("float")).toBe(true);
  },
);

test("other requests run between pages that are printed on this thread", async () => {
  let turns = 0;
  const turn = async () => {
    turns += 1;
  };
  const aside = openAside({ threads: 2, turn, log: () => undefined });
  const text = await copied(printed(script("float"), aside, 0, true));
  aside.close();
  expect(text === due("float")).toBe(true);
  expect(turns).toBe([...pagesOf(script("float"))].length);
});

test.each(["read to its end", "left by its client"])(
  "the end of an answer that was %s is told once",
  async (how) => {
    let ends = 0;
    const body = printed(script("float"), open(0), 0, true, () => {
      ends += 1;
    });
    const reader = streamOf(body).getReader();
    await reader.read();
    expect(ends).toBe(0);
    if (how === "left by its client") await reader.cancel();
    else while (!(await reader.read()).done);
    await new Promise<void>((resolve) => setImmediate(resolve));
    expect(ends).toBe(1);
  },
);

test("nothing is printed further than it is read", async () => {
  let asked = 0;
  const entries: Entries = {
    count: vectors.length,
    vector(place) {
      asked = place;
      return vectors[place];
    },
  };
  const body = printed({ encoding: "float", passages: ["[", entries, "]"] }, open(0));
  const reader = streamOf(body).getReader();
  await reader.read();
  expect(asked).toBeLessThan(200);
  await reader.cancel();
  expect(asked).toBeLessThan(200);
});

/** A provider whose vectors contain their text's number. */
const answers = async (_: string, init: RequestInit) => {
  const { input }: { input: string[] } = JSON.parse(String(init.body));
  const data = input.map((text, index) => ({ index, embedding: [...vectorOf(Number(text))] }));
  return Response.json({ object: "list", data, model: "m", usage: { prompt_tokens: 7, total_tokens: 7 } });
};

const vectorOf = (number: number) =>
  Float32Array.from({ length: 256 }, (_, i) => Math.fround(Math.sin(number + i / 256)));

const TEXTS = Array.from({ length: 1000 }, (_, i) => String(i + 1));

const WIRES: readonly {
  readonly path: string;
  readonly body: object;
  readonly vectorsIn: (answer: string) => readonly (readonly number[])[];
}[] = [
  {
    path: "/v1/embeddings",
    body: { input: TEXTS },
    vectorsIn(answer) {
      const { data }: { data: { embedding: number[] }[] } = JSON.parse(answer);
      return data.map(({ embedding }) => embedding);
    },
  },
  {
    path: "/v1/gemini/embeddings",
    body: { contents: TEXTS },
    vectorsIn(answer) {
      const { embeddings }: { embeddings: { values: number[] }[] } = JSON.parse(answer);
      return embeddings.map(({ values }) => values);
    },
  },
  {
    path: "/v1/aws-bedrock/embeddings",
    body: { texts: TEXTS, input_type: "search_document" },
    vectorsIn(answer) {
      const { embeddings }: { embeddings: number[][] } = JSON.parse(answer);
      return embeddings;
    },
  },
];

describe.each([0, 2])("through the gateway with %p threads", (threads) => {
  test.each(WIRES)("$path answers a large request in order, cached or not", async (wire) => {
    await using gateway: OpenGateway = await openGateway({
      yaml: `
providers: { near: { plugin: openai, base_url: "http://provider.test/v1" } }
models: { m: { routes: [ { provider: near } ], dimensions: 256, wire_encoding: float } }
cache: { memory_mb: 16 }
`,
      outside: { fetch: answers, threads },
    });
    for (const note of ["hit=0, miss=1000", "hit=1000, miss=0"]) {
      const { status, text, headers } = await gateway.send(wire.path, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ model: "m", ...wire.body }),
      });
      expect([status, headers.get("x-embedgate-cache")]).toEqual([200, note]);
      const answered = wire.vectorsIn(text);
      expect(answered).toHaveLength(TEXTS.length);
      for (const [place, values] of answered.entries())
        expect(Float32Array.from(values)).toEqual(vectorOf(place + 1));
    }
  });
});

test("an answer whose client reads late is complete, and so is one requested meanwhile", async () => {
  using folder = temporaryFolder();
  await using serving = await startServing(folder.path);
  // The built-in model embeds equal texts once.
  const input = Array(2048).fill("the same text");
  const body = JSON.stringify({ model: "all-MiniLM-L6-v2", input });
  const ask = () => fetch(`${serving.url}/v1/embeddings`, { method: "POST", headers: JSON_BODY, body });
  const late = await ask();
  // More than the buffers between a server and a client, so that it waits in the middle of a page.
  const meanwhile = await (await ask()).text();
  const pieces: Uint8Array[] = [];
  for await (const piece of late.body ?? []) pieces.push(piece);
  const withoutId = (text: string) => text.replace(/"id":"req_\w+",/, "");
  expect(withoutId(Buffer.concat(pieces).toString()) === withoutId(meanwhile)).toBe(true);
  const { data }: { data: { index: number; embedding: number[] }[] } = JSON.parse(meanwhile);
  expect(data.map(({ index }) => index)).toEqual(Array.from({ length: 2048 }, (_, place) => place));
  expect(new Set(data.map(({ embedding }) => embedding.join())).size).toBe(1);
});

const JSON_BODY = { "content-type": "application/json" };
