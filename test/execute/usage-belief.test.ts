/** Impossible token counts of a provider: the row, the bill and the limits use the estimate, and the log says so once. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { join } from "node:path";
import { type OpenGateway, openGateway } from "../gateway";

const YAML = `space_probe: false
cache: false
workspace_defaults: { credits: 0.001, tokens_per_minute: 1000 }
providers:
  wire: { plugin: openai, base_url: "http://upstream/v1", retries: 0 }
  other: { plugin: openai, base_url: "http://other/v1", retries: 0 }
models:
  m: { routes: [ { provider: wire } ], price: 1, dimensions: 2 }
  n: { routes: [ { provider: wire } ], price: 1, dimensions: 2 }
  o: { routes: [ { provider: other } ], price: 1, dimensions: 2 }
`;

/** @param usage as in the reply's JSON */
function openAnswering(usage: string): Promise<OpenGateway> {
  const fetch = async (_: string, init: RequestInit) => {
    const { input }: { readonly input: readonly string[] } = JSON.parse(String(init.body));
    const data = JSON.stringify(input.map((_text, index) => ({ index, embedding: [0.6, 0.8] })));
    return new Response(`{"data":${data},"usage":${usage}}`, {
      headers: { "content-type": "application/json" },
    });
  };
  // The rate limit refills a token each 60 ms: time stands still.
  return openGateway({ readsFile: true, yaml: YAML, outside: { fetch, monotonic: () => 1_000_000 } });
}

function rowsOf(open: OpenGateway) {
  const database = new Database(join(open.folder, "data/embedgate.db"), { readonly: true });
  const rows = database
    .query<Readonly<Record<string, unknown>>, []>(
      "SELECT status, tokens, tokens_upstream, tokens_billed, tokens_source, micro_credits FROM ledger ORDER BY rowid",
    )
    .all();
  database.close();
  return rows;
}

const TEXT = "hello";
/** Five bytes. */
const ESTIMATE = 2;

describe("an impossible count", () => {
  test.each([
    ["none for a text", `{"prompt_tokens":0,"total_tokens":0}`],
    ["a million", `{"prompt_tokens":1000000,"total_tokens":1000000}`],
    ["one more than its bytes and marks", `{"prompt_tokens":14}`],
    ["past 2^53", `{"prompt_tokens":9007199254740993}`],
    ["past 2^63", `{"prompt_tokens":9223372036854775808}`],
    ["past every number", `{"prompt_tokens":1e999}`],
    ["below 0", `{"prompt_tokens":-3,"total_tokens":-3}`],
    ["a part of one", `{"prompt_tokens":1.5}`],
    ["a text", `{"prompt_tokens":"7"}`],
    ["null", `{"prompt_tokens":null}`],
    ["a list", `{"prompt_tokens":[1]}`],
    ["nothing", "{}"],
    ["no object", "null"],
  ])("%s", async (_, usage) => {
    await using open = await openAnswering(usage);
    const sent = await open.post({ model: "m", input: TEXT });
    expect(sent.status).toBe(200);
    expect(Object(sent.json).usage).toEqual({ prompt_tokens: ESTIMATE, total_tokens: ESTIMATE });
    expect(sent.headers.get("x-embedgate-usage")).toBe("estimated");
    expect(sent.headers.get("x-ratelimit-remaining-tokens")).toBe(String(1000 - ESTIMATE));
    expect(rowsOf(open)).toEqual([
      {
        status: 200,
        tokens: ESTIMATE,
        tokens_upstream: ESTIMATE,
        tokens_billed: ESTIMATE,
        tokens_source: "estimated",
        micro_credits: ESTIMATE,
      },
    ]);
  });

  test("is logged once per provider", async () => {
    await using open = await openAnswering(`{"prompt_tokens":1000000}`);
    for (const model of ["m", "m", "n", "o", "n", "o"])
      expect((await open.post({ model, input: TEXT })).status).toBe(200);
    const told = open.logs.filter(({ message }) => message.includes("token count cannot be right"));
    expect(told.map(({ about }) => Object(about).provider)).toEqual(["wire", "other"]);
  });
});

test.each([1, 5, 13])("%p tokens for five bytes are believed", async (tokens) => {
  await using open = await openAnswering(`{"prompt_tokens":${tokens},"total_tokens":${tokens}}`);
  expect(Object((await open.post({ model: "m", input: TEXT })).json).usage.prompt_tokens).toBe(tokens);
  expect(open.logs.filter(({ level }) => level === "warn")).toEqual([]);
  expect(rowsOf(open)).toMatchObject([{ tokens_source: "provider", tokens_billed: tokens }]);
});
