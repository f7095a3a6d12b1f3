/**
 * The repository's style as a test that says what to write instead. A new rule is a row of RULES, or a test at the end.
 * A file that must break a rule is listed in EXCEPT, with the reason.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { Glob } from "bun";

const ROOT = join(import.meta.dir, "..");
interface Source {
  readonly path: string;
  readonly text: string;
  /** Without comments. */
  readonly bare: string;
  /** Without comments and without the contents of strings: for words that are code. */
  readonly code: string;
}

function sources(pattern: string): Source[] {
  return [...new Glob(pattern).scanSync({ cwd: ROOT, dot: true })]
    .filter(
      (path) =>
        !path.includes("node_modules") && !path.startsWith("test/fixtures") && !path.startsWith("dist/"),
    )
    .sort()
    .map((path) => {
      const text = readFileSync(join(ROOT, path), "utf8");
      const bare = withoutComments(text);
      return { path, text, bare, code: withoutStrings(bare) };
    });
}

const withoutComments = (text: string) =>
  text.replace(/\/\*[\s\S]*?\*\//g, "").replace(/(^|[^:"'`])\/\/.*$/gm, "$1");
const withoutStrings = (text: string) => text.replace(/"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'/g, '""');

const typescript = [...sources("{src,plugins,test,bench}/**/*.{ts,tsx}"), ...sources(".ci/*.ts")];
/** AssemblyScript has its own types and its own idiom. */
const product = typescript.filter(
  ({ path }) =>
    /^(src|plugins)\//.test(path) &&
    !path.startsWith("plugins/local/kernel/portable/") &&
    !["src/replies/kernel/numbers.ts", "src/printing/digits/kernel.ts"].includes(path),
);

interface Rule {
  readonly name: string;
  readonly files: readonly Source[];
  readonly pattern: RegExp;
  readonly instead: string;
  /** Where to look; the default is code. */
  readonly in?: "text" | "bare" | "code";
  readonly except?: readonly string[];
}

const RULES: readonly Rule[] = [
  {
    name: "no any, no ignored type errors, no cast through unknown",
    files: typescript,
    pattern: /(:|<|as) any\b|@ts-(ignore|expect-error|nocheck)|as unknown as|biome-ignore/,
    instead: "a type, a schema or a checked guard",
    in: "text",
    except: ["test/tidy.test.ts"],
  },
  {
    name: "no loose ends",
    files: typescript,
    pattern: /\b(TODO|FIXME|XXX|HACK)\b|not implemented/,
    instead: "do it, or write the issue",
    in: "text",
    except: ["test/tidy.test.ts"],
  },
  {
    name: "no abbreviations for names",
    files: typescript,
    pattern:
      /\b(?:const|let|function|readonly)\s+(ctx|req|res|cfg|opts|err|msg|tmp|val|arr|obj|cb|fn|idx|len|num|str|evt)\b/,
    instead:
      "context, request, response, config, options, error, message, value, list, record, callback, index, length, count, text",
  },
  {
    name: "time, timers, randomness and the network come from outside",
    files: product,
    pattern:
      /\bDate\.now\(|\bnew Date\(\)|Math\.random\(|performance\.now\(|\bsetTimeout\(|\bsetInterval\(|[^.\w]fetch\(|crypto\.getRandomValues/,
    instead: "the Outside (src/domain/outside.ts) or the Host (src/plugin.ts) that is passed in",
    except: ["src/network/real-outside.ts", "src/dashboard/page/browser.ts"],
  },
  {
    name: "only the door and the docs know Elysia",
    files: product,
    pattern: /from "elysia"|from "@elysiajs/,
    instead: "a plain function that src/door/http.ts calls",
    in: "text",
    except: ["src/door/http.ts", "src/door/docs/swagger.ts"],
  },
  {
    name: "src/ names no vendor: facts are in the catalogue, wires of providers in plugins/, of clients in src/dialects/wires/",
    files: product.filter(({ path }) => /^src\/(?!config\/catalogue\/|dialects\/wires\/)/.test(path)),
    pattern:
      /gemini|vertex|bedrock|cohere|voyage|\bjina|mistral|ollama|together\.(ai|xyz)|fireworks|deepinfra|nvidia|openrouter|azure/i,
    instead:
      "a fact of src/config/catalogue.ts, of a file in src/config/catalogue/, a plugin, or a member of `Wire`",
    in: "bare",
    except: ["src/config/catalogue.ts", "src/dialects/wires.ts"],
  },
  {
    name: "src/ asks for a dialect's policies, never for its name",
    files: product.filter(({ path }) => path.startsWith("src/")),
    pattern: /opentoken|tokenfactory|quantized|(===|!==|case) "openai"/,
    instead: "a policy of src/domain/policies.ts",
    in: "bare",
    // The records themselves, and the names that the routing file may contain.
    except: ["src/dialects/records.ts", "src/config/schema-values.ts"],
  },
  {
    name: "a bundled plugin imports types of the contract, and nothing else of src/",
    files: sources("plugins/**/*.ts").filter(({ path }) => path !== "plugins/index.ts"),
    pattern: /import (?!type)[^;]*from "(\.\.\/)+src\/|from "(\.\.\/)+src\/(?!plugin")/,
    instead: 'import type { … } from "../src/plugin"; everything else comes through the host',
    in: "text",
  },
  {
    name: "src/ knows plugins by their contract; only the command line has their list",
    files: product.filter(({ path }) => path.startsWith("src/")),
    pattern: /from "(\.\.\/)+plugins\//,
    instead: "a Provider that was passed in",
    in: "text",
    // The built-in model's vocabulary is used for other models too, and is in the executable once; its licence is printed with all others.
    except: ["src/serving/configured.ts", "src/tokens/bert.ts", "src/commands/licenses.ts"],
  },
  {
    name: "no path of one machine",
    files: [
      ...typescript,
      ...sources("*.{md,json,toml,yaml}"),
      ...sources("docs/*.md"),
      ...sources(".ci/*"),
      ...sources("bench/*.md"),
    ],
    pattern: /\/(home|Users|root)\/[A-Za-z.]/,
    instead: "a path relative to the repository",
    in: "text",
    except: ["test/tidy.test.ts"],
  },
  {
    name: "no address of a package registry",
    files: [
      ...sources("bun.lock"),
      ...sources("package.json"),
      ...sources("bunfig.toml"),
      ...sources("*.md"),
      ...sources("docs/*.md"),
      ...sources(".ci/*"),
    ],
    pattern: /https?:\/\/[^"\s]*(registry|npmjs|pypi|debian)/,
    instead: "the package's name and version",
    in: "text",
  },
];

const documents = sources("docs/*.md");
const markdown = [...sources("*.md"), ...sources("bench/*.md"), ...documents];

const withoutBlocks = (text: string) => text.replace(/^ *```[\s\S]*?^ *```$/gm, "");

/** A page's headings as GitHub turns them into anchors. */
const anchorsOf = (path: string) =>
  [...withoutBlocks(readFileSync(join(ROOT, path), "utf8")).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
      .replaceAll(" ", "-"),
  );

/** Files with JSX, by their paths without the ending. */
const PAGES = new Set(sources("src/**/*.tsx").map(({ path }) => path.slice(0, -".tsx".length)));

/** Every import of one of our files, by the paths of both. */
function importsOf(files: readonly Source[]): { readonly from: string; readonly to: string }[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(/(?:from|import\(?)\s*"(\.[^"]+)"/g)].map(([, specifier]) => {
      const target = normalize(join(dirname(path), specifier ?? ""));
      const isWhole = /\.(ts|wasm|json|so|bin)$/.test(target);
      return { from: path, to: isWhole ? target : `${target}.${PAGES.has(target) ? "tsx" : "ts"}` };
    }),
  );
}

/** The folder of src/ in which a file lies, or the file's own name if it lies in none. */
const wingOf = (path: string): string | undefined => /^src\/([^/]+)/.exec(path)?.[1];

/**
 * The folders of src/ from top to bottom, each with what a newcomer finds there. Imports go down, or stay in their folder; folders of one row do
 * not import each other. A new folder is a row, above everything that it needs.
 */
const WINGS: readonly (readonly [wings: string, whatFor: string])[] = [
  ["main.ts", "argv to one command"],
  ["commands", "one command a file: its flags, one call, one table"],
  ["processes", "several copies on one port: supervisor, fleet, copy, and what they say to one another"],
  ["serving", "one serving process: the routing file it starts with, listening, reloading, signals, ending"],
  ["gateway.ts", "builds every part once"],
  ["sharing", "what the copies of one gateway have in common: memory, and each one's part of the limits"],
  ["door", "paths, and what is behind them: head, body, models, requests in flight, the OpenAPI document"],
  ["dashboard", "what a browser is shown: its files, and in page/ what runs in it"],
  ["admin", "what the operator sees and changes: metrics, the Admin API"],
  ["batches", "OpenAI's Batch API: files, and requests that are run by and by"],
  ["jobs", "bulk jobs: files to a file of vectors, with a journal"],
  ["conformance bench", "tests of others' plugins and endpoints"],
  ["terminal", "what a person types and reads: durations, amounts, tables, CSV"],
  ["request", "the way of a request: embed knows the order, each other file is a step"],
  ["routes", "from a model id to its targets"],
  [
    "execute",
    "calls: which target, retry, halving, hedging, shared calls; and the gate that every reply passes",
  ],
  ["upstream", "one provider: concurrency, circuit breaker, HTTP, what of its errors is shown"],
  ["stores", "everything that is kept, in one database or another"],
  ["callers", "who asks, and what they may"],
  ["spaces", "embedding spaces: references, verdicts, which route may serve"],
  ["cache", "cached vectors, and those in flight"],
  [
    "valkey",
    "a server that machines share: what it may cost, its circuit breaker, and what its keys are called",
  ],
  ["dialects", "the wires that clients speak"],
  ["config", "the routing file and the catalogue"],
  ["books", "ledger, balances, statements: every token and what it costs"],
  ["db", "the database"],
  ["tokens aside tracing", "counting and cutting; work off the event loop; spans for a collector"],
  ["replies network printing", "bytes: of replies, on sockets, of answers"],
  ["native", "numbers and base64 by machine code, where there is some"],
  ["machine", "what the operating system gives: cores, libc, nameless files, shared words, one clock"],
  ["domain plugin.ts", "the words that all share, and the contract of plugins"],
];

/** The one row whose parts import each other: the plugin interface uses the domain's types, and the domain uses the interface. */
const ONE_FLOOR = new Set(["domain", "plugin.ts"]);

describe("style", () => {
  test.each(RULES.map((rule) => [rule.name, rule] as const))("%s", (_, rule) => {
    const breaches: string[] = [];
    for (const source of rule.files) {
      if (rule.except?.includes(source.path)) continue;
      const lines = source[rule.in ?? "code"].split("\n");
      const line = lines.find((candidate) => rule.pattern.test(candidate));
      if (line !== undefined)
        breaches.push(`${source.path}: "${line.trim().slice(0, 80)}" → ${rule.instead}`);
    }
    expect(breaches).toEqual([]);
  });

  test("each file opens with what it is for", () => {
    expect(
      typescript.filter(({ text }) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(text)).map(({ path }) => path),
    ).toEqual([]);
  });

  test("no file is over 400 lines, and few are over 250", () => {
    const long = typescript.map(({ path, text }) => ({ path, lines: text.split("\n").length }));
    expect(long.filter(({ lines }) => lines > 400)).toEqual([]);
    expect(long.filter(({ lines }) => lines > 250).length).toBeLessThan(typescript.length / 10);
  });

  test("no file has a meaningless name", () => {
    const vague = /(^|\/)(utils?|helpers?|common|misc|shared|lib|types|constants)(\.tsx?|\/)/;
    expect(typescript.map(({ path }) => path).filter((path) => vague.test(path))).toEqual([]);
  });

  test("no file only re-exports", () => {
    const barrels = product.filter(({ path, code }) => {
      const statements = code
        .split(";")
        .map((statement) => statement.trim())
        .filter(Boolean);
      return (
        path !== "plugins/index.ts" &&
        statements.length > 0 &&
        statements.every((s) => /^export (type )?(\*|\{[^}]*\}) from/.test(s))
      );
    });
    expect(barrels.map(({ path }) => path)).toEqual([]);
  });

  test("no file is unused: each is imported, or is an entry point", () => {
    const starts =
      /^(src\/main|src\/dashboard\/page\/main|src\/tokens\/worker|src\/aside\/worker|src\/dialects\/digits\/build|plugins\/local\/worker|plugins\/local\/kernel\/|src\/replies\/kernel\/|plugins\/local\/weights\/convert)|\.d\.ts$/;
    const imported = new Set(importsOf(typescript).map(({ to }) => to));
    expect(
      product.map(({ path }) => path).filter((path) => !starts.test(path) && !imported.has(path)),
    ).toEqual([]);
  });

  test("imports go down the list of folders, or stay in their folder", () => {
    const floors = new Map(WINGS.flatMap(([wings], floor) => wings.split(" ").map((wing) => [wing, floor])));
    const breaches = importsOf(product).flatMap(({ from, to }) => {
      const [upper, lower] = [wingOf(from), wingOf(to)];
      if (upper === undefined || lower === undefined || upper === lower) return [];
      const [high, low] = [floors.get(upper), floors.get(lower)];
      if (high === undefined || low === undefined)
        return [`${from} → ${to}: ${high === undefined ? upper : lower} is in no row of WINGS`];
      if (high < low || (high === low && ONE_FLOOR.has(upper) && ONE_FLOOR.has(lower))) return [];
      return [`${from} → ${to}: what both need belongs in ${upper} or below`];
    });
    expect(breaches).toEqual([]);
    expect(WINGS.flatMap(([wings]) => wings.split(" ")).toSorted()).toEqual(
      [...new Set(product.flatMap(({ path }) => wingOf(path) ?? []))].toSorted(),
    );
  });

  test("no imports go in a circle", () => {
    const next = Map.groupBy(importsOf(product), ({ from }) => from);
    const done = new Set<string>();
    const circles: string[] = [];
    const walk = (path: string, way: readonly string[]): void => {
      if (way.includes(path)) circles.push([...way.slice(way.indexOf(path)), path].join(" → "));
      if (done.has(path) || way.includes(path)) return;
      for (const { to } of next.get(path) ?? []) walk(to, [...way, path]);
      done.add(path);
    };
    for (const path of next.keys()) walk(path, []);
    expect(circles).toEqual([]);
  });

  test("each test is in the folder of what it tests", () => {
    const wings = new Set(WINGS.flatMap(([names]) => names.split(" ")));
    const others = new Set(["clients", "contracts", "docs", "plugins", "sim"]);
    const folders = new Set(
      sources("test/**/*.ts").flatMap(({ path }) => /^test\/([^/]+)\//.exec(path)?.[1] ?? []),
    );
    expect([...folders].filter((folder) => !wings.has(folder) && !others.has(folder))).toEqual([]);
  });

  test("the product imports neither bench/ nor test/", () => {
    const breaches = importsOf(product).filter(({ to }) => /^(bench|test)\//.test(to));
    expect(breaches).toEqual([]);
  });

  test("the words of a request and plugin.ts import types only", () => {
    for (const path of [
      "src/domain/request.ts",
      "src/domain/health.ts",
      "src/domain/outside.ts",
      "src/plugin.ts",
    ]) {
      const { text } = typescript.find((source) => source.path === path) ?? { text: "import missing" };
      expect([path, text.match(/^import (?!type).*$/gm)]).toEqual([path, null]);
    }
  });

  test("each markdown file has one title", () => {
    for (const { path, text } of markdown) {
      const outsideCode = withoutBlocks(text);
      expect([path, outsideCode.match(/^# /gm)?.length]).toEqual([path, 1]);
    }
  });

  test("each row of the threat model names tests, and each of them exists", () => {
    const [model] = sources("docs/threat-model.md");
    const rows = model?.text
      .split("\n")
      .filter((line) => line.startsWith("| ") && !line.startsWith("| attacker |"));
    expect(rows?.length).toBeGreaterThan(20);
    const breaches = (rows ?? []).flatMap((row) => {
      const named = [...row.matchAll(/`(test\/[^`]+)`(?:: "([^"]+)")?/g)];
      if (named.length === 0) return [`no test: ${row.slice(0, 80)}`];
      return named.flatMap(([, path = "", name]) => {
        const [file] = sources(path);
        const isThere = file && (!path.endsWith(".ts") || file.text.includes(`"${name}"`));
        return isThere ? [] : [`${path}: ${name ?? "the file"}`];
      });
    });
    expect(breaches).toEqual([]);
  });

  test("README.md is short: what is long has a page of docs/", () => {
    const readme = markdown.find(({ path }) => path === "README.md");
    expect(readme?.text.split("\n").length).toBeLessThanOrEqual(180);
    expect(
      documents.filter(({ path }) => !readme?.text.includes(`](${path})`)).map(({ path }) => path),
    ).toEqual([]);
  });

  test("every relative link leads to a file, and to a heading of it", () => {
    const breaches = markdown.flatMap(({ path, text }) =>
      [...withoutBlocks(text).matchAll(/\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)/g)].flatMap(
        ([link, file = "", anchor]) => {
          const target = file === "" ? path : normalize(join(dirname(path), file));
          if (!existsSync(join(ROOT, target))) return [`${path}: ${link}: there is no ${target}`];
          if (anchor === undefined || anchorsOf(target).includes(anchor)) return [];
          return [`${path}: ${link}: ${target} has no such heading`];
        },
      ),
    );
    expect(breaches).toEqual([]);
  });
});
