/**
 * `bun run check`: types, lint, all tests; ends with the line `N passed, N failed`. Types and lint count as one test each.
 * A new kind of check is a line of STEPS.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

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

/** Bun's own closing line is for people; the counts are read from its junit report. */
async function tests(
  name: string,
  paths: readonly string[],
  environment: Record<string, string> = {},
): Promise<Tally> {
  console.log(`— ${name}`);
  const report = join(scratch, `${name.replaceAll(" ", "-")}.xml`);
  const command = [
    process.execPath,
    "test",
    ...paths,
    // For a busy machine: no test waits, some compute.
    "--timeout=120000",
    "--reporter=junit",
    `--reporter-outfile=${report}`,
  ];
  const code = await run(command, environment);
  const xml = (await Bun.file(report).exists()) ? await Bun.file(report).text() : "";
  const count = (name: string) => Number(new RegExp(`<testsuites[^>]* ${name}="(\\d+)"`).exec(xml)?.[1] ?? 0);
  const failed = count("failures") + count("errors");
  const passed = count("tests") - failed - count("skipped");
  // A test file that does not even load fails the run, but is not in the report.
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed };
}

/** What reads replies, and the model inside. */
const WITHOUT_SIMD = ["test/replies", "test/upstream", "test/plugins/local", "test/plugins/openai.test.ts"];

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
  // As on a processor without AVX, where JavaScriptCore has no SIMD in WebAssembly.
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
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
