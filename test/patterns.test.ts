/**
 * Every regular expression in the product's sources must take linear time: no more than twice the steps for a text of twice the length,
 * whoever wrote the text. This is proved, not timed (recheck: by automata, or for richer patterns by a search for a slow text).
 * A pattern that fails is rewritten so that it cannot start again at each character of a run that it has already
 * scanned: match whole words and inspect them afterwards, use an anchor, or use a lookbehind.
 */
import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { type Node, parse } from "acorn";
import { Glob } from "bun";
import { check } from "recheck";

const ROOT = join(import.meta.dir, "..");
/** AssemblyScript does not run on Bun, and has no regular expressions. */
const KERNELS = /\/kernel\/(portable\/|numbers\.ts$)|\/digits\/kernel\.ts$/;

interface Pattern {
  readonly source: string;
  readonly flags: string;
}

interface Found {
  readonly patterns: readonly Pattern[];
  /** Patterns that exist only at run time, as they are written in the source. */
  readonly made: readonly string[];
}

/** Patterns that are built from parts: for each, why no text can make it slow. */
const MADE: Readonly<Record<string, string>> = {
  "src/config/variables.ts": "one class of characters",
  "plugins/cutting.ts": "a few words, from start to end",
  "src/domain/request-id.ts": "a word and counted digits, from start to end",
  "src/door/endpoints.ts":
    "a path of ours: names without a slash between its literal parts, and at most one with",
};

const isNode = (value: unknown): value is Node =>
  typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";

function* nodesOf(value: unknown): Generator<Node & Readonly<Record<string, unknown>>> {
  if (Array.isArray(value)) for (const one of value) yield* nodesOf(one);
  if (!isNode(value)) return;
  yield { ...value };
  for (const part of Object.values(value)) yield* nodesOf(part);
}

const member = (value: unknown, name: string): unknown => Object(value)[name];

/** @param text TypeScript source: it is parsed after its types are removed */
function patternsOf(text: string, loader: "ts" | "tsx" = "ts"): Found {
  // A macro runs where it is imported, and source text has no location.
  const script = new Bun.Transpiler({ loader, deadCodeElimination: false }).transformSync(
    text.replaceAll(' with { type: "macro" }', ""),
  );
  const patterns: Pattern[] = [];
  const made: string[] = [];
  /** A pattern in a string: in a schema, or passed to `RegExp`. */
  const take = (given: unknown, flags: string, whole: Node) => {
    const source = member(given, "value");
    if (typeof source === "string") patterns.push({ source, flags });
    // The literal inside `RegExp(/…/)` is visited on its own.
    else if (member(given, "regex") === undefined) made.push(script.slice(whole.start, whole.end));
  };
  for (const node of nodesOf(parse(script, { ecmaVersion: "latest", sourceType: "module" }))) {
    if (node.type === "Literal" && node.regex !== undefined) {
      const { pattern, flags } = Object(node.regex);
      patterns.push({ source: String(pattern), flags: String(flags) });
    } else if (/^(New|Call)Expression$/.test(node.type) && nameOf(node.callee) === "RegExp") {
      const [source, flags] = Array.isArray(node.arguments) ? node.arguments : [];
      take(source, String(member(flags, "value") ?? ""), node);
    } else if (node.type === "Property" && nameOf(node.key) === "pattern") {
      // A member copied by name from another object is defined where that object is made.
      if (member(node.value, "type") !== "Identifier") take(node.value, "u", node);
    }
  }
  return { patterns, made };
}

const nameOf = (node: unknown) => String(member(node, "name") ?? member(node, "value") ?? "");

const sources = ["src/**/*.{ts,tsx}", "plugins/**/*.ts"]
  .flatMap((glob) => [...new Glob(glob).scanSync({ cwd: ROOT })])
  .filter((path) => !KERNELS.test(path) && !path.endsWith(".d.ts"))
  .sort()
  .map((path) => ({
    path,
    found: patternsOf(readFileSync(join(ROOT, path), "utf8"), path.endsWith(".tsx") ? "tsx" : "ts"),
  }));

/** Limited by steps, so that the verdict is the same on a slow machine; the time limit is for patterns that cannot be proved. */
const BOUNDS = { timeout: 60_000, attackTimeout: null, incubationTimeout: null, attackLimit: 200_000_000 };

/** @returns undefined if its steps grow linearly; otherwise a text that shows the contrary, or why it is unknown */
async function growth({ source, flags }: Pattern): Promise<string | undefined> {
  const verdict = await check(source, flags, BOUNDS);
  if (verdict.status === "safe") return undefined;
  if (verdict.status === "unknown") return `unknown (${verdict.error.kind})`;
  return `${verdict.complexity.summary}: ${verdict.attack.pattern}`;
}

describe("regular expressions", () => {
  test("are found wherever they are in a source", () => {
    const { patterns, made } = patternsOf(
      'const a: RegExp = /a/g; export const b = new RegExp("b", "i"), c = RegExp(`c`), d = { pattern: "d" }, e = RegExp(`${a}`); if (false) /f/.test("");',
    );
    expect(patterns.map(({ source }) => source)).toEqual(["a", "b", "d", "f"]);
    expect(made).toEqual(["RegExp(`c`)", "RegExp(`${a}`)"]);
  });

  test("that are built at run time are few, and known", () => {
    const made = sources.filter(({ found }) => found.made.length > 0);
    expect(made.map(({ path }) => path).sort()).toEqual(Object.keys(MADE).sort());
  });

  test("that take more than linear time are recognised", async () => {
    expect(await growth({ source: "(a+)+$", flags: "" })).toContain("exponential");
    expect(await growth({ source: "\\w*\\*{3,}", flags: "" })).toContain("2nd degree polynomial");
    expect(await growth({ source: "\\s+$", flags: "" })).toContain("2nd degree polynomial");
    expect(await growth({ source: "^\\s+$", flags: "" })).toBeUndefined();
  }, 60_000);

  test("take linear time, all of them", async () => {
    const places = new Map<string, { readonly pattern: Pattern; readonly paths: Set<string> }>();
    for (const { path, found } of sources) {
      for (const pattern of found.patterns) {
        const key = `/${pattern.source}/${pattern.flags}`;
        const known = places.get(key) ?? { pattern, paths: new Set() };
        places.set(key, known);
        known.paths.add(path);
      }
    }
    expect(places.size).toBeGreaterThan(100);
    const slow: string[] = [];
    for (const [key, { pattern, paths }] of places) {
      const how = await growth(pattern);
      if (how !== undefined) slow.push(`${key} in ${[...paths].join(", ")}: ${how}`);
    }
    expect(slow).toEqual([]);
  }, 300_000);
});
