/**
 * `bun run check`: types, lint and all tests; the last line is `N passed, N failed`. Types and lint count as one test each.
 * To add a kind of check, add a line to STEPS.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onBoth } from "./both-databases";

interface Tally {
  readonly passed: number;
  readonly failed: number;
}

const folder = join(import.meta.dir, "..");
const scratch = mkdtempSync(join(tmpdir(), "embedgate-check-"));

async function run(command: readonly string[], environment: Record<string, string> = {}): Promise<number> {
  const child = Bun.spawn([...command], {
    cwd: folder,
    env: { ...process.env, ...environment },
    stdout: "inherit",
    stderr: "inherit",
    stdin: "ignore",
  });
  return child.exited;
}

async function asOneTest(name: string, command: readonly string[]): Promise<Tally> {
  console.log(`— ${name}`);
  return (await run(command)) === 0 ? { passed: 1, failed: 0 } : { passed: 0, failed: 1 };
}

interface Report {
  readonly tests: number;
  readonly skipped: number;
  /** "FILE: NAME", once for each failure. */
  readonly failures: readonly string[];
}

/** Names that are listed at the end, for those who read only the last lines. */
const notSteady: string[] = [];
const failures: string[] = [];

/** With more failed files than this the run is broken, not flaky, and nothing is run again. */
const FILES_AGAIN_MAX = 6;

/**
 * The counts come from Bun's JUnit report. Files with failed tests are run once more, by themselves; tests that pass then are listed at the end
 * as flaky, and must be fixed.
 */
async function tests(
  name: string,
  paths: readonly string[],
  environment: Record<string, string> = {},
): Promise<Tally> {
  console.log(`— ${name}`);
  const first = await testOnce(name, paths, environment);
  if (first === undefined) {
    failures.push(`${name}: a test file does not load, or the run ended early`);
    return { passed: 0, failed: 1 };
  }
  const passed = first.tests - first.skipped - first.failures.length;
  const files = [...new Set(first.failures.map((failure) => failure.slice(0, failure.indexOf(": "))))];
  if (files.length === 0 || files.length > FILES_AGAIN_MAX) {
    failures.push(...first.failures);
    return { passed, failed: first.failures.length };
  }
  console.log(`— ${name}, once more: ${files.join(", ")}`);
  const second = await testOnce(`${name} once more`, files, environment);
  const again = second?.failures ?? first.failures;
  failures.push(...again);
  notSteady.push(...first.failures.filter((failure) => !again.includes(failure)));
  return { passed: passed + Math.max(0, first.failures.length - again.length), failed: again.length };
}

/** @returns undefined if a file did not load: that fails the run, but is not in the report */
async function testOnce(
  name: string,
  paths: readonly string[],
  environment: Record<string, string>,
): Promise<Report | undefined> {
  const report = join(scratch, `${name.replace(/[^a-z]+/gi, "-")}.xml`);
  const command = [
    process.execPath,
    "test",
    ...paths,
    // Long, for a busy machine: no test sleeps, but some compute for long.
    "--timeout=120000",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
  ];
  const code = await run(command, environment);
  const xml = (await Bun.file(report).exists()) ? await Bun.file(report).text() : "";
  const count = (what: string) => Number(new RegExp(`<testsuites[^>]* ${what}="(\\d+)"`).exec(xml)?.[1] ?? 0);
  const failed = [...xml.matchAll(/<testcase([^>]*[^/>])>\s*<(?:failure|error)/g)].map(
    ([, attributes = ""]) => `${attribute(attributes, "file")}: ${attribute(attributes, "name")}`,
  );
  if (failed.length !== count("failures") + count("errors")) return undefined;
  if (code !== 0 && failed.length === 0) return undefined;
  return { tests: count("tests"), skipped: count("skipped"), failures: failed };
}

const attribute = (attributes: string, name: string) =>
  new RegExp(` ${name}="([^"]*)"`).exec(attributes)?.[1] ?? "";

/** Tests of code that uses SIMD, which then has its replacement: printing, reading replies, and the model inside. Our machine code (src/native/) is not used then either. */
const WITHOUT_SIMD = [
  "test/native",
  "test/printing",
  "test/replies",
  "test/upstream",
  "test/plugins/local",
  "test/plugins/openai.test.ts",
];

/** In two halves at once: each waits for the server half of the time. */
async function onPostgres(): Promise<Tally> {
  if (process.env.EMBEDGATE_TEST_POSTGRES === undefined) return { passed: 0, failed: 0 };
  const files = onBoth();
  const halves = await Promise.all(
    ["one half", "other half"].map((half, place) =>
      tests(
        `tests on PostgreSQL, ${half}`,
        files.filter((_, i) => i % 2 === place),
        { EMBEDGATE_TEST_DATABASE: "postgres" },
      ),
    ),
  );
  return {
    passed: halves.reduce((sum, half) => sum + half.passed, 0),
    failed: halves.reduce((sum, half) => sum + half.failed, 0),
  };
}

const STEPS: readonly (() => Promise<Tally>)[] = [
  () => asOneTest("types", [process.execPath, "x", "tsc", "--noEmit", "-p", "."]),
  () =>
    asOneTest("lint", [
      process.execPath,
      "x",
      "biome",
      "check",
      "--config-path=.ci/lint.json",
      "--error-on-warnings",
    ]),
  () => tests("tests", ["test"]),
  onPostgres,
  // Like a processor without AVX, where JavaScriptCore has no SIMD in WebAssembly.
  () => tests("tests without SIMD", WITHOUT_SIMD, { BUN_JSC_useWasmSIMD: "false" }),
];

let passed = 0;
let failed = 0;
for (const step of STEPS) {
  const tally = await step();
  passed += tally.passed;
  failed += tally.failed;
}
rmSync(scratch, { recursive: true });
for (const failure of notSteady) console.log(`failed once, passed when run again: ${failure}`);
for (const failure of failures) console.log(`failed: ${failure}`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
