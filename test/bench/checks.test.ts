/**
 * What `embedgate bench` reports about endpoints that get their vectors wrong, each in one way. A new check is a row of WRONG.
 */
import { expect, test } from "bun:test";
import { base64Of, type Measured, measured, type Twist, vectorOf, wrongs } from "./measuring";

const seenOf = ({ result }: Measured, check: string) => result.checks.find((one) => one.check === check);

test("a good endpoint has no errors, with floats or base64, one text or several", async () => {
  for (const encoding of ["float", "base64"] as const) {
    for (const inputs of [1, 3]) {
      const seen = await measured({ requests: 5, encoding, inputs, dimensions: 8 });
      expect(wrongs(seen)).toEqual([]);
      expect(seen.result.checks.filter(({ outcome }) => outcome === "skipped")).toEqual([]);
      expect(seen.result.checks.length).toBe(13);
    }
  }
});

/** Every vector moves to the next place; the indices do not show it. */
const shifted: Twist = ({ data }) => {
  const [first, ...others] = data.map(({ embedding }) => embedding);
  const embeddings = first === undefined ? others : [...others, first];
  for (const [i, entry] of data.entries()) entry.embedding = embeddings[i] ?? entry.embedding;
};

const WRONG: readonly (readonly [string, Twist, string | RegExp])[] = [
  [
    "one that mixes up the vectors of a batch",
    shifted,
    /^8 texts in one request .*: text 0's .* it is that of text 1$/,
  ],
  [
    "one that mixes them up only while others ask too",
    (good, asked) => (asked.underWay > 1 ? shifted(good, asked) : undefined),
    /^vectors under load equal those of the same texts sent alone: text 0's has a cosine of/,
  ],
  [
    "one that answers zeros",
    ({ data }) => {
      for (const entry of data) entry.embedding = [0, 0, 0, 0, 0, 0, 0, 0];
    },
    /^no vector is all zeros: the vector of text 0; \d+ answers in all$/,
  ],
  [
    "one that answers a vector too few",
    ({ data }) => {
      if (data.length > 1) data.pop();
    },
    /^one vector for each text: 7 vectors for 8 texts/,
  ],
  [
    "one that names an index twice",
    ({ data }) => {
      const [, second] = data;
      if (second) second.index = 0;
    },
    /^each index appears once: the index 0 twice/,
  ],
  [
    "one that counts from 1",
    ({ data }) => {
      for (const entry of data) entry.index += 1;
    },
    /^each index appears once: the index 1 at place 0/,
  ],
  [
    "one that gives every index as 0 but for single texts",
    ({ data }) => {
      for (const entry of data) entry.index = 0;
    },
    /^each index appears once: the index 0 twice/,
  ],
  [
    "one whose vectors have two sizes",
    ({ data }, { texts }) => {
      if (data.length > 1) data[1] = { index: 1, embedding: vectorOf(texts[1] ?? "", 4) };
    },
    /^all vectors have the same dimensions: one of 8 numbers, and one of 4/,
  ],
  [
    "one whose size depends on how many texts there are",
    ({ data }, { texts }) => {
      if (data.length > 1) for (const entry of data) entry.embedding = vectorOf(texts[entry.index] ?? "", 4);
    },
    /^all vectors have the same dimensions: of 8 and of 4 numbers, in different answers$/,
  ],
  [
    "one with a hole among its numbers",
    () => new Response('{"data":[{"index":0,"embedding":[0.1,null]}],"usage":{"prompt_tokens":3}}'),
    /^replies have OpenAI's format: null among the numbers of an embedding, of text 0/,
  ],
  [
    "one that gives NaN in base64",
    ({ data }, { encoding }) => {
      if (encoding === "base64") for (const entry of data) entry.embedding = base64Of([Number.NaN, 1]);
    },
    /^all numbers are finite: the vector of text 0/,
  ],
  [
    "one that has another vector each time",
    ({ data }, { place }) => {
      for (const entry of data) entry.embedding = vectorOf(`${place} ${entry.index}`);
    },
    /^the same text twice gives the same vector: their cosine is /,
  ],
  [
    "one that answers floats whatever is asked for",
    ({ data }, { texts }) => {
      for (const entry of data) entry.embedding = vectorOf(texts[entry.index] ?? "");
    },
    /^base64 and float encodings agree: asked for base64 it answers float/,
  ],
  [
    "one whose base64 is of other numbers",
    ({ data }, { encoding }) => {
      if (encoding === "base64")
        for (const entry of data) entry.embedding = base64Of(vectorOf("another text"));
    },
    /^base64 and float encodings agree: their cosine is /,
  ],
  [
    "one that says no usage",
    (good) => {
      good.usage = undefined;
    },
    /^usage reports tokens: \d+ of \d+ answers have no usage.prompt_tokens above 0$/,
  ],
  [
    "one that counts characters, as infinity-emb 0.0.78 does,",
    (good, { texts }) => {
      const tokens = texts.reduce((sum, text) => sum + text.length, 0);
      good.usage = { prompt_tokens: tokens };
    },
    /^usage counts tokens: it counts characters: \d+ for a text of \d+$/,
  ],
  [
    "one that answers a page",
    () => new Response("<html><body>Welcome!"),
    /^replies have OpenAI's format: not JSON: <html>/,
  ],
  [
    "one that answers other JSON",
    () => Response.json({ ok: true }),
    /^replies have OpenAI's format: no list "data"/,
  ],
];

test.each(WRONG.map((row) => [...row]))("%s is told so", async (_, twist, words) => {
  const encoding = String(words).includes("finite") ? "base64" : "float";
  const seen = await measured({ requests: 12, inputs: 2, encoding }, twist);
  expect(wrongs(seen).filter((wrong) => wrong.match(words) !== null)).toHaveLength(1);
});

test("vectors with indices may come in any order", async () => {
  const seen = await measured({ requests: 5, inputs: 3 }, ({ data }) => {
    data.reverse();
  });
  expect(wrongs(seen)).toEqual([]);
  expect(seenOf(seen, "each index appears once")?.why).toBe("6 answers were in another order");
});

test("vectors that are not of length 1 are reported, and are not an error", async () => {
  const seen = await measured({ requests: 5 }, ({ data }) => {
    for (const entry of data)
      if (Array.isArray(entry.embedding)) entry.embedding = entry.embedding.map((n) => n * 3);
  });
  expect(seenOf(seen, "vector norm")).toEqual({
    check: "vector norm",
    outcome: "right",
    why: "3.00 to 3.00: they are not normalised",
  });
});

const ignoringDimensions: Twist = ({ data }, { texts }) => {
  for (const entry of data) entry.embedding = vectorOf(texts[entry.index] ?? "");
};

test("requested dimensions that are ignored are an error; if none were requested they are only reported", async () => {
  expect(wrongs(await measured({ requests: 1, dimensions: 4 }, ignoringDimensions))).toContain(
    "dimensions are as requested: asked for 4 it answers 8",
  );
  expect(
    seenOf(await measured({ requests: 1 }, ignoringDimensions), "dimensions are as requested"),
  ).toMatchObject({
    outcome: "skipped",
    why: "none were asked for; for 4 it silently answers 8",
  });
});

test("an endpoint without base64, or without batches, is not blamed for it", async () => {
  const seen = await measured({ requests: 3 }, (_, { encoding, texts }) => {
    const message = encoding === "base64" ? "no base64 here" : texts.length > 1 ? "one text at a time" : "";
    return message === "" ? undefined : Response.json({ error: { message } }, { status: 400 });
  });
  expect(wrongs(seen)).toEqual([]);
  expect(seenOf(seen, "base64 and float encodings agree")?.why).toBe("it has no base64: 400: no base64 here");
  expect(seenOf(seen, "8 texts in one request get the same vectors as alone")?.why).toBe(
    "400: one text at a time",
  );
});
