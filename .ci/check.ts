/**
 * `bun run check`: types, lint and all tests; the last line is `N passed, N failed`. Types and lint count as one test each.
 * To add a kind of check, add a line to STEPS.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Glob } from "bun";

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

const OPENER = join(folder, "test/gateway.ts");

/** Whether a test file opens a gateway in its own process: it imports the opener, directly or through a helper. */
function opensGateway(path: string, seen = new Set<string>()): boolean {
  if (path === OPENER) return true;
  if (seen.has(path) || !path.startsWith(join(folder, "test/")) || !existsSync(path)) return false;
  seen.add(path);
  const imports = [...readFileSync(path, "utf8").matchAll(/ from "(\.[^"]*)"/g)];
  return imports.some(([, name = ""]) => opensGateway(`${join(dirname(path), name)}.ts`, seen));
}

/** Tests of these wings that open a database run once more on PostgreSQL, if there is one (.ci/postgres.sh). test/stores runs on both by itself. */
const ON_BOTH = /^test\/(?:(?:admin|books|callers|door|request)\/|batches\/batches\.test)/;
/**
 * Files that run on SQLite only: they open a gateway for hundreds of cases that are about vectors alone; count turns of the event loop
 * (recall-under-way); or have a `sleep` that takes no time (recent-notices), which would poll the server without end.
 */
const ON_SQLITE_ALONE = /\/(?:own-vector|vector-fields|recall-under-way|recent-notices)\.test\.ts$/;

const onPostgres = () =>
  [...new Glob("test/**/*.test.ts").scanSync({ cwd: folder })]
    .filter((path) => ON_BOTH.test(path) && !ON_SQLITE_ALONE.test(path) && opensGateway(join(folder, path)))
    .sort();

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
  async () =>
    process.env.EMBEDGATE_TEST_POSTGRES === undefined
      ? { passed: 0, failed: 0 }
      : tests("tests on PostgreSQL", onPostgres(), { EMBEDGATE_TEST_DATABASE: "postgres" }),
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
