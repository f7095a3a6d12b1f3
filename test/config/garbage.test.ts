/**
 * Whatever is in a routing file, loading it returns a configuration, or problems with a position. It never throws.
 * A text that once broke it becomes a row of KNOWN.
 */
import { describe, expect, test } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { type Folder, makeFolder } from "./loading";

const CASES = join(import.meta.dir, "cases");
const RUNS = { numRuns: 300 };

/** Files to start from: the golden cases, which contain everything that the format has. */
const seeds = readdirSync(CASES)
  .sort()
  .map((name) => readFileSync(join(CASES, name), "utf8").split("\n----------\n")[0] ?? "")
  .filter((text) => text.length < 2000);

/** Pieces that have a meaning in YAML, variables or the schema. */
const piece = fc.constantFrom(
  ..."{}[]:,#&*!|>'\"%@`-?~$\n\t\\ ".split(""),
  ...[
    "${",
    "${A}",
    "${A:-",
    "$${",
    "<<: ",
    "*a",
    "&a ",
    "---\n",
    "...\n",
    "null",
    "routes: ",
    "  ",
    "__proto__: ",
    "1e999",
    "\u0000",
    "\ud800",
  ],
);

const mutated = fc
  .tuple(
    fc.constantFrom(...seeds),
    fc.array(
      fc.tuple(fc.nat(2000), fc.nat(12), fc.oneof(piece, fc.constant(""), fc.string({ maxLength: 4 }))),
      {
        minLength: 1,
        maxLength: 6,
      },
    ),
  )
  .map(([text, edits]) =>
    edits.reduce(
      (now, [at, gone, put]) =>
        now.slice(0, at % (now.length + 1)) + put + now.slice((at % (now.length + 1)) + gone),
      text,
    ),
  );

/** Arbitrary values for the schema, as JSON, which is YAML. */
const anyDocument = fc.record(
  {
    server: fc.jsonValue(),
    database: fc.jsonValue(),
    auth: fc.jsonValue(),
    cache: fc.jsonValue(),
    workspace_defaults: fc.jsonValue(),
    providers: fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.string(),
        fc.record(
          { plugin: fc.oneof(fc.constant("openai"), fc.jsonValue()), retries: fc.jsonValue() },
          { requiredKeys: [] },
        ),
      ),
    ),
    models: fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.string(),
        fc.record(
          {
            routes: fc.oneof(
              fc.jsonValue(),
              fc.array(fc.record({ provider: fc.jsonValue(), model: fc.jsonValue() })),
            ),
            alias_of: fc.jsonValue(),
            dimensions_allowed: fc.jsonValue(),
            price: fc.jsonValue(),
          },
          { requiredKeys: [] },
        ),
      ),
    ),
  },
  { requiredKeys: [] },
);

const KNOWN = [
  "\u0000",
  "${",
  "a: *a",
  "? ",
  "<<: {}",
  "- - -",
  "{",
  '"',
  "!!binary x",
  "%YAML 3\n---\n",
  "~",
  "[]",
  "\ufeff\ufeff",
  "models: { ? : }",
  "&a : b",
  "*a : b",
];

describe("loading returns", () => {
  test("for texts that broke other programs", async () => {
    using folder = makeFolder();
    for (const text of KNOWN) await answers(folder, text);
  });

  test("for any bytes", async () => {
    using folder = makeFolder();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), (bytes) => answers(folder, bytes)),
      RUNS,
    );
  });

  test("for any text made of meaningful characters", async () => {
    using folder = makeFolder();
    const text = fc
      .array(fc.oneof(piece, fc.string({ maxLength: 3 })), { maxLength: 60 })
      .map((pieces) => pieces.join(""));
    await fc.assert(
      fc.asyncProperty(text, (content) => answers(folder, content)),
      RUNS,
    );
  });

  test("for any mutation of a golden case", async () => {
    using folder = makeFolder();
    await fc.assert(
      fc.asyncProperty(mutated, (content) => answers(folder, content)),
      { numRuns: 1000 },
    );
  });

  test("for any values where sections belong", async () => {
    using folder = makeFolder();
    await fc.assert(
      fc.asyncProperty(anyDocument, (document) => answers(folder, JSON.stringify(document))),
      RUNS,
    );
  });

  test("and never shows the value of a variable or a secret key", async () => {
    using folder = makeFolder();
    const secret = "s3cr3t-w0rd";
    const spot = fc.constantFrom(
      "server: { port: X }",
      "database: X",
      "database: postgres://u:X@h",
      "auth: { mode: X }",
      "cache: X",
      "X",
      "providers: { a: X }",
      "providers: { a: { plugin: X } }",
      "providers: { a: { plugin: ./X } }",
      "providers: { a: { plugin: openai, api_key: [ X ] } }",
      "providers: { a: { plugin: openai, api_key: k, strict: X } }",
      "models: { m: X }",
      "models: { m: { alias_of: X } }",
      "models: { m: { routes: [ { provider: X, model: X, space: X } ] } }",
      "models: { m: { routes: X, price: X, dimensions: X } }",
      "models: { m: { embeddings: X, task_types: X } }",
    );
    const how = fc.constantFrom(
      "${WORD}",
      '"a ${WORD} b"',
      "[ ${WORD} ]",
      "{ a: ${WORD} }",
      "${UNSET:-s3cr3t-w0rd}",
      "&a ${WORD}",
    );
    await fc.assert(
      fc.asyncProperty(spot, how, async (text, value) => {
        folder.write(
          "gateway.yaml",
          text.replaceAll("X", () => value),
        );
        const loaded = await folder.load({ environment: { WORD: secret } });
        expect(JSON.stringify(loaded.ok ? loaded.notes : loaded.problems)).not.toContain(secret);
      }),
      RUNS,
    );
  });
});

async function answers(folder: Folder, content: string | Uint8Array): Promise<void> {
  folder.write("gateway.yaml", content);
  const loaded = await folder.load({ environment: { A: "5" } });
  const told = loaded.ok ? loaded.notes : loaded.problems;
  if (!loaded.ok) expect(told.length).toBeGreaterThan(0);
  for (const { file, line, column, message } of told) {
    expect(file).toBe("gateway.yaml");
    expect(line).toBeGreaterThan(0);
    expect(column).toBeGreaterThan(0);
    expect(message).not.toBe("");
  }
}
