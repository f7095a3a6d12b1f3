/**
 * docs/ agrees with the source: its tables are generated from it, and every command, metric, log line, error
 * code, answer header and folder is on its page. A failure names what is missing, or no longer exists.
 */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { pages } from "../../.ci/docs";
import { PLUGINS } from "../../plugins/index";
import { commandsOf } from "../../src/commands/flags/line";
import { commandLine } from "../../src/commands/flags/program";
import { ERROR_KINDS } from "../../src/domain/errors";
import { ERROR_CODES } from "../../src/door/docs/error-codes";
import { ANSWER_HEADERS } from "../../src/door/docs/headers";
import { PAGES, pageText, ROOT } from "./blocks";

const source = (path: string) => readFileSync(join(ROOT, path), "utf8");
const operations = pageText("docs/operations.md");

/** The part of a page below a heading, up to the next heading of the same level. */
function section(page: string, heading: string): string {
  const [, after = ""] = page.split(`\n## ${heading}\n`);
  return after.split("\n## ")[0] ?? "";
}

/** The code words in a column of a section's table. */
const column = (text: string, place: number): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| "))
    .flatMap((line) =>
      [...(line.split(" | ")[place] ?? "").matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word),
    );

/** What the first lacks and the second has, and the other way round. */
const apart = (written: readonly string[], told: readonly string[]) => ({
  missing: [...new Set(told)].filter((one) => !written.includes(one)),
  gone: [...new Set(written)].filter((one) => !told.includes(one)),
});
const NOTHING = { missing: [], gone: [] };

describe("docs", () => {
  test("generated tables are up to date: otherwise run `bun run docs`", () => {
    const due = [...pages()].filter(([, { now, right }]) => now !== right).map(([name]) => name);
    expect(due).toEqual([]);
  });

  test("every plugin is in the table of providers, and no others", () => {
    const [overview = ""] = pageText("docs/providers.md").split("\n## ");
    expect(apart(column(overview, 0), Object.keys(PLUGINS))).toEqual(NOTHING);
  });

  test("every command is in the table of commands", () => {
    const declared = commandsOf(commandLine()).map(
      ({ parent, name }) => [parent === "embedgate" ? "program" : parent, name] as const,
    );
    const table = section(operations, "Commands");
    const rows = table.split("\n").filter((line) => line.startsWith("| `embedgate"));
    const isThere = (parent: string, name: string) =>
      rows.some((row) =>
        new RegExp(
          parent === "program" ? `embedgate ${name}\\b` : `embedgate ${parent}\\b.*\\b${name}\\b`,
        ).test(row),
      );
    expect(declared.length).toBeGreaterThan(10);
    expect(declared.filter(([parent, name]) => !isThere(parent, name))).toEqual([]);
  });

  test("every metric is explained, and no others", () => {
    const told = [
      ...source("src/admin/metric-families.ts").matchAll(/name: "((?:embedgate|process)_\w+)"/g),
    ].map(([, name = ""]) => name);
    expect(apart(column(section(operations, "Metrics"), 0), told)).toEqual(NOTHING);
  });

  test("every log line is explained, and no others", () => {
    const told = [...new Glob("src/**/*.ts").scanSync({ cwd: ROOT })].flatMap((path) => {
      const text = source(path);
      const calls = [...text.matchAll(/(?<!console\.)\blog\([^{;]*/g)].map(([call]) => call);
      const named = calls.some((call) => call.includes(", message,"))
        ? [...text.matchAll(/const message =[^;]*/g)].map(([said]) => said)
        : [];
      return [...calls, ...named].flatMap((code) =>
        [...code.matchAll(/"([^"\n]*)"/g)].flatMap(([, words = ""]) => (words.includes(" ") ? [words] : [])),
      );
    });
    expect(apart(column(section(operations, "Log"), 1), told)).toEqual(NOTHING);
  });

  test("every error code is explained with its status, and no others", () => {
    const told = ERROR_KINDS.map(([, { status, code }]) => `${status} ${code ?? ""}`);
    const written = ERROR_CODES.map(([status, code]) => `${status} ${code ?? ""}`);
    expect(told.length).toBeGreaterThan(20);
    expect(apart(written, told)).toEqual(NOTHING);
  });

  test("every answer header is in the reference", () => {
    const told = [
      "src/request/headers.ts",
      "src/routes/lifecycle.ts",
      "src/callers/shared-limits.ts",
    ].flatMap((path) => [...source(path).matchAll(/"(x-[a-z-]+)"/g)].map(([, name = ""]) => name));
    expect(told.length).toBeGreaterThan(8);
    const written = ANSWER_HEADERS.map(({ name }) => name);
    expect(apart(written, told).missing).toEqual([]);
    expect(apart(column(section(pageText("docs/reference.md"), "Answer headers"), 0), written)).toMatchObject(
      {
        missing: [],
      },
    );
  });

  test("every folder of src/ is in the list of folders", () => {
    const folders = [...new Glob("src/*").scanSync({ cwd: ROOT, onlyFiles: false })].map((path) =>
      path.slice(4),
    );
    const listed = column(section(pageText("docs/architecture.md"), "Folders"), 0);
    expect(apart(listed, folders)).toEqual(NOTHING);
  });

  test("every file that a page names exists", () => {
    const named = PAGES.flatMap((page) =>
      [...pageText(page).matchAll(/`((?:src|plugins|test|bench|\.ci|docs)\/[\w./-]+)`/g)].map(
        ([, path = ""]) => [page, path] as const,
      ),
    );
    // These stand for any file, or are the reader's own.
    const anyFile = ["src/x/y.ts", "test/x/y.test.ts", "plugins/in-house.ts"];
    expect(named.length).toBeGreaterThan(40);
    expect(named.filter(([, path]) => !anyFile.includes(path) && !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
