/**
 * `embedgate embed` from end to end: every format in and out, messages, cost, and how a job ends. A provider on loopback
 * counts. kill.test.ts has killed jobs.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { asyncBufferFromFile, parquetReadObjects } from "hyparquet";
import { parquetWriteFile } from "hyparquet-writer";
import { runCommand } from "../command-line";
import { startServing, temporaryFolder, vectorOf } from "../serving";
import { readNpy, routingFile, runJob, startJob, startProvider } from "./job";

const provider = startProvider(undefined, (text) =>
  text.includes("forbidden") ? "no such text here" : undefined,
);
const TEXTS = ['one, with a "quote"', "two\ttabs", "drei – größer", "four"];
const scratch = temporaryFolder({
  "gateway.yaml": routingFile(provider),
  "nested.jsonl": TEXTS.map((text) => `${JSON.stringify({ a: { b: text } })}\n`).join(""),
  "strings.ndjson": TEXTS.map((text) => JSON.stringify(text)).join("\r\n"),
  "quoted.csv": `id,text\n${TEXTS.map((text, id) => `${id},"${text.replaceAll('"', '""')}"`).join("\r\n")}\r\n`,
  "tabs.tsv": `text\tid\n${TEXTS.map((text, id) => `"${text.replaceAll('"', '""')}"\t${id}\n`).join("")}`,
  "plain.txt": `\ufeff${TEXTS.join("\n")}\n`,
  "part-1.txt": `${TEXTS.slice(0, 2).join("\n")}\n`,
  "part-2.txt": `${TEXTS.slice(2).join("\n")}\n`,
});
const folder = scratch.path;
parquetWriteFile({
  filename: join(folder, "column.parquet"),
  columnData: [{ name: "text", data: TEXTS, type: "STRING" }],
});
afterAll(() => {
  provider[Symbol.dispose]();
  scratch[Symbol.dispose]();
});

let outputs = 0;
const newOutput = (ending = "npy") => `out-${outputs++}.${ending}`;
const put = (name: string, text: string | Uint8Array) => Bun.write(join(folder, name), text);
const vectorsIn = async (out: string) => (await readNpy(join(folder, out))).rows;
const errorsOf = (out: string) =>
  readFileSync(join(folder, `${out}.errors.jsonl`), "utf8")
    .trim()
    .split("\n")
    .map((line): unknown => JSON.parse(line));
const besides = (out: string) => readdirSync(folder).filter((name) => name.startsWith(`${out}.`));

describe("inputs", () => {
  test.each([
    ["JSON Lines, at a dotted path", ["nested.jsonl", "--field", "a.b"], ""],
    ["JSON Lines of strings, without a last line end", ["strings.ndjson"], ""],
    ["CSV", ["quoted.csv"], ""],
    ["TSV", ["tabs.tsv"], ""],
    ["lines, after a byte order mark", ["plain.txt"], ""],
    ["Parquet", ["column.parquet"], ""],
    ["two files, in their order", ["part-1.txt", "part-2.txt"], ""],
    ["a glob", ["part-*.txt"], ""],
    [
      "standard input",
      ["-", "--input-format", "jsonl"],
      TEXTS.map((text) => JSON.stringify({ text })).join("\n"),
    ],
  ])("%s: row i is row i", async (_, args, stdin) => {
    const out = newOutput();
    const { code, errors } = await runJob(folder, [...args, "--model", "m", "--out", out], stdin);
    expect([code, code === 0 ? "" : errors]).toEqual([0, ""]);
    expect(await vectorsIn(out)).toEqual(TEXTS.map((text) => vectorOf(text)));
    expect(besides(out)).toEqual([]);
  });

  test("equal texts are sent once, and each row has the vector", async () => {
    const out = newOutput();
    const lines = Array.from({ length: 100 }, (_, row) => `again ${row % 7}`);
    await put("again.txt", lines.join("\n"));
    const before = provider.paid.length;
    const { code, errors } = await runJob(folder, ["again.txt", "--model", "m", "--out", out]);
    expect(code).toBe(0);
    expect(errors).toContain("7 to send, 93 duplicates");
    expect(provider.paid.slice(before).toSorted()).toEqual(lines.slice(0, 7));
    expect(await vectorsIn(out)).toEqual(lines.map((line) => vectorOf(line)));
  });

  test("rows without a text, or with a refused one, are reported with their position; the others get their vectors", async () => {
    const out = newOutput();
    const lines = [
      ...['{"text":"good"}', "{", '{"other":1}', '{"text":null}', '{"text":""}', ""],
      ...['{"text":"forbidden"}', '{"text":"good too"}', '{"text":"forbidden"}', '{"text":"\\ud800"}'],
    ];
    await put(
      "bad.jsonl",
      new Uint8Array([...new TextEncoder().encode(`${lines.join("\n")}\n"`), 0xff, 0x22]),
    );
    const { code } = await runJob(folder, ["bad.jsonl", "--model", "m", "--out", out]);
    expect(code).toBe(3);
    const rows = await vectorsIn(out);
    const bad = [1, 2, 3, 4, 5, 6, 8, 9, 10];
    expect(rows).toHaveLength(11);
    expect(rows[0]).toEqual(vectorOf("good"));
    expect(rows[7]).toEqual(vectorOf("good too"));
    for (const row of bad) expect([row, rows[row]?.every(Number.isNaN)]).toEqual([row, true]);
    expect(errorsOf(out)).toEqual([
      { row: 1, file: "bad.jsonl", line: 2, reason: "the line is not JSON" },
      { row: 2, file: "bad.jsonl", line: 3, reason: "there is no 'text'" },
      { row: 3, file: "bad.jsonl", line: 4, reason: "'text' is null, not a string" },
      { row: 4, file: "bad.jsonl", line: 5, reason: "the text is empty" },
      { row: 5, file: "bad.jsonl", line: 6, reason: "the text is empty" },
      { row: 9, file: "bad.jsonl", line: 10, reason: expect.stringContaining("surrogate") },
      { row: 10, file: "bad.jsonl", line: 11, reason: "it is not UTF-8" },
      { row: 6, file: "bad.jsonl", line: 7, reason: expect.stringContaining("no such text here") },
      { row: 8, file: "bad.jsonl", line: 9, reason: expect.stringContaining("its text is that of row 6") },
    ]);
  });

  test.each([
    [["missing.txt"], "The file missing.txt does not exist."],
    [
      ["quoted.csv", "--field", "body"],
      "quoted.csv has no column 'body' (--field): its columns are id, text",
    ],
    [
      ["column.parquet", "--field", "body"],
      "column.parquet has no column 'body' (--field): its columns are text",
    ],
    [["plain.txt", "--input-format", "parquet"], "plain.txt is not a Parquet file"],
  ])("%p is refused in words", async (args, words) => {
    const { code, errors } = await runJob(folder, [...args, "--model", "m", "--out", newOutput()]);
    expect(code).toBe(2);
    expect(errors).toContain(words);
  });
});

describe("outputs", () => {
  const make = async (ending: string, ...args: string[]) => {
    const out = newOutput(ending);
    await put("rows.jsonl", [...TEXTS.map((text) => JSON.stringify(text)), "{}"].join("\n"));
    const { code } = await runJob(folder, ["rows.jsonl", "--model", "m", "--out", out, ...args]);
    expect(code).toBe(3);
    return out;
  };

  test("npy of float16", async () => {
    const { header, rows } = await readNpy(join(folder, await make("npy", "--dtype", "f16")));
    expect(header).toContain("'descr': '<f2'");
    expect(rows.slice(0, 4)).toEqual(TEXTS.map((text) => [...new Float16Array(vectorOf(text))]));
  });

  test("f32 contains only the numbers", async () => {
    const bytes = await Bun.file(join(folder, await make("f32"))).arrayBuffer();
    expect([...new Float32Array(bytes).subarray(0, 32)]).toEqual(TEXTS.flatMap((text) => vectorOf(text)));
    expect(bytes.byteLength).toBe(5 * 8 * 4);
  });

  test("jsonl has one line per row", async () => {
    const text = readFileSync(join(folder, await make("jsonl")), "utf8");
    expect(
      text
        .trim()
        .split("\n")
        .map((line): unknown => JSON.parse(line)),
    ).toEqual([...TEXTS.map((one, row) => ({ row, embedding: vectorOf(one) })), { row: 4, embedding: null }]);
  });

  test("parquet has a column of lists", async () => {
    const file = await asyncBufferFromFile(join(folder, await make("parquet")));
    expect(await parquetReadObjects({ file })).toEqual([
      ...TEXTS.map((one) => ({ embedding: vectorOf(one) })),
      { embedding: null },
    ]);
  });

  test("an unknown file ending is refused, and so is an existing output", async () => {
    const out = await make("npy");
    const again = await runJob(folder, ["plain.txt", "--model", "m", "--out", out]);
    expect([again.code, again.errors]).toEqual([2, expect.stringContaining("--overwrite replaces it")]);
    const other = await runJob(folder, ["plain.txt", "--model", "m", "--out", "out.xlsx"]);
    expect([other.code, other.errors]).toEqual([2, expect.stringContaining(".npy, .f32, .parquet, .jsonl")]);
    const replaced = await runJob(folder, ["plain.txt", "--model", "m", "--out", out, "--overwrite"]);
    expect(replaced.code).toBe(0);
    expect(await vectorsIn(out)).toHaveLength(4);
    expect(besides(out)).toEqual([]);
  });
});

describe("a job", () => {
  const lines = Array.from({ length: 320 }, (_, row) => `priced ${row}`);

  test("says its cost, and sends nothing, with --dry-run", async () => {
    await put("priced.txt", lines.join("\n"));
    const out = newOutput();
    const { calls } = provider;
    const { code, errors } = await runJob(folder, ["priced.txt", "--model", "m", "--out", out, "--dry-run"]);
    expect(code).toBe(0);
    expect(errors).toContain("320 to send, 0 duplicates, 0 without a text");
    expect(errors).toContain("at $1 per million tokens");
    expect(errors).toContain("20 calls, 8 at once");
    expect([provider.calls, existsSync(join(folder, out)), besides(out)]).toEqual([calls, false, []]);
  });

  test("stops before --max-usd, and continues with a higher limit, paying nothing twice", async () => {
    await put("priced.txt", lines.join("\n"));
    const out = newOutput();
    const args = ["priced.txt", "--model", "m", "--out", out];
    const before = provider.paid.length;
    // At this provider a text is one token; the most possible is its bytes and the marks around it.
    const first = await runJob(folder, [...args, "--max-usd", "0.0005"]);
    expect([first.code, first.errors]).toEqual([
      1,
      expect.stringContaining("Stopped before $0.0005 (--max-usd)"),
    ]);
    const paid = provider.paid.length - before;
    expect(paid).toBeGreaterThan(0);
    expect(paid).toBeLessThan(320);
    const without = await runJob(folder, args);
    expect([without.code, without.errors]).toEqual([2, expect.stringContaining("--resume continues it")]);
    const second = await runJob(folder, [...args, "--resume"]);
    expect(second.code).toBe(0);
    expect(provider.paid.slice(before).toSorted()).toEqual(lines.toSorted());
    expect(second.errors).toContain("320 tokens, $0.00032");
    expect(await vectorsIn(out)).toEqual(lines.map((line) => vectorOf(line)));
  });

  test("that differs from the journal's is refused, and the difference is named", async () => {
    await put("priced.txt", lines.join("\n"));
    const out = newOutput();
    const args = ["--model", "m", "--out", out];
    expect((await runJob(folder, ["priced.txt", ...args, "--max-usd", "0.0005"])).code).toBe(1);
    await put("other.txt", [...lines.slice(1), "another"].join("\n"));
    const input = await runJob(folder, ["other.txt", ...args, "--resume"]);
    expect([input.code, input.errors]).toEqual([
      2,
      expect.stringContaining("the input's text (SHA-256): was "),
    ]);
    const asked = await runJob(folder, [
      "priced.txt",
      ...args,
      "--resume",
      "--dimensions",
      "4",
      "--dtype",
      "f16",
    ]);
    expect([asked.code, asked.errors]).toEqual([
      2,
      expect.stringContaining(
        "--dimensions: was not given, is 4; the output's format: was npy f32, is npy f16",
      ),
    ]);
  });

  test("ends after the calls in flight on SIGINT, and keeps their results", async () => {
    const held = Promise.withResolvers<void>();
    using slow = startProvider((calls) => {
      if (calls === 4) held.resolve();
    });
    using own = temporaryFolder({
      "gateway.yaml": routingFile(slow),
      "in.txt": Array.from({ length: 64_000 }, (_, row) => `row ${row}`).join("\n"),
    });
    const args = ["in.txt", "--model", "m", "--out", "out.npy", "--concurrency", "2"];
    const job = startJob(own.path, args);
    await held.promise;
    job.signal("SIGINT");
    const { code, errors } = await job.ended;
    expect([code, errors]).toEqual([130, expect.stringContaining("--resume continues from here")]);
    const journal = readFileSync(join(own.path, "out.npy.journal"), "utf8");
    expect(journal.match(/"chunk":\d+/g)).toHaveLength(slow.calls);
    expect(slow.paid).toHaveLength(slow.calls * 16);
    expect(existsSync(join(own.path, "out.npy"))).toBe(false);
  });

  test("that was complete except for its journal is completed with --resume", async () => {
    const out = newOutput();
    const args = ["plain.txt", "--model", "m", "--out", out, "--resume"];
    expect((await runJob(folder, [...args, "--max-usd", "0"])).code).toBe(1);
    const journal = readFileSync(join(folder, `${out}.journal`), "utf8");
    expect((await runJob(folder, args)).code).toBe(0);
    await put(`${out}.journal`, journal);
    const { calls } = provider;
    const { code, errors } = await runJob(folder, args);
    expect([code, errors, provider.calls]).toEqual([0, `${out} is finished.\n`, calls]);
    expect(besides(out)).toEqual([]);
  });

  test("names the task like a request, and the fields that the provider ignores", async () => {
    const bodies: { input: string[]; input_type?: string }[] = [];
    using server = Bun.serve({
      port: 0,
      hostname: "127.0.0.1",
      async fetch(request) {
        const body: { input: string[]; input_type?: string } = await request.json();
        bodies.push(body);
        const data = body.input.map((text, index) => ({ index, embedding: vectorOf(text) }));
        return Response.json({ data, usage: { total_tokens: 1, prompt_tokens: 1 } });
      },
    });
    using own = temporaryFolder({
      "in.txt": "one\n",
      "gateway.yaml": `
space_probe: false
providers:
  tasks: { plugin: voyage, api_key: k, base_url: "http://127.0.0.1:${server.port}/v1" }
  plain: { plugin: openai, base_url: "http://127.0.0.1:${server.port}/v1" }
models: { t: { routes: [ { provider: tasks } ] }, p: { routes: [ { provider: plain } ] } }
`,
    });
    const run = (model: string, ...args: string[]) =>
      runJob(own.path, ["in.txt", "--model", model, "--out", "out.npy", "--overwrite", ...args]);
    expect(await run("t", "--prompt", "query")).toEqual({ code: 0, errors: expect.any(String) });
    expect((await run("t", "--input-type", "search_document")).code).toBe(0);
    expect(bodies.map(({ input_type }) => input_type)).toEqual(["query", "document"]);
    const ignored = await run("p", "--prompt", "document");
    expect([ignored.code, ignored.errors]).toEqual([
      0,
      expect.stringContaining("the provider ignores prompt_name"),
    ]);
    const unknown = await run("t", "--input-type", "qury");
    expect([unknown.code, unknown.errors]).toEqual([1, expect.stringContaining("'input_type' is \"qury\"")]);
  });

  test("goes through a running gateway with --url and --key", async () => {
    const key: { key: string } = JSON.parse(
      (await runCommand(["keys", "create", "--name", "job", "--json"], { folder })).out,
    );
    await using gateway = await startServing(folder);
    const out = newOutput();
    const args = ["bad.jsonl", "--model", "m", "--out", out, "--url", gateway.url];
    await put("bad.jsonl", ['"good"', '"forbidden"', '"good too"'].join("\n"));
    const refused = await runJob(folder, [...args, "--key", "wrong"]);
    expect([refused.code, refused.errors]).toEqual([1, expect.stringContaining("Incorrect API key")]);
    const { code, errors } = await runJob(folder, [...args, "--key", key.key]);
    expect([code, errors]).toEqual([3, expect.stringContaining("at $1 per million tokens")]);
    const [first, second, third] = await vectorsIn(out);
    expect([first, third]).toEqual([vectorOf("good"), vectorOf("good too")]);
    expect(second?.every(Number.isNaN)).toBe(true);
    expect(errorsOf(out)).toEqual([
      { row: 1, file: "bad.jsonl", line: 2, reason: expect.stringContaining("no such text here") },
    ]);
  });
});
