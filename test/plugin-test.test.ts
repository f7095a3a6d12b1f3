/**
 * `embedgate plugin test` as a user types it, from source: the README's plugin against its live service, then against what was written
 * down of it. What the suite says of each broken plugin is in plugins/conformance.test.ts.
 */
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { IN_HOUSE_PLUGIN, inHouseServer } from "./in-house";
import { temporaryFolder } from "./serving";

const MAIN = join(import.meta.dir, "../src/main.ts");

async function pluginTest(folder: string, ...args: readonly string[]) {
  const child = Bun.spawn([process.execPath, MAIN, "plugin", "test", ...args], {
    cwd: folder,
    env: {},
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [code, out, errors] = await Promise.all([
    child.exited,
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
  ]);
  return { code, out, errors };
}

const TOKEN = "in-house-8c2f61d0e7";

test("the README's plugin passes against its live service, and again against what was written down", async () => {
  using server = inHouseServer();
  using folder = temporaryFolder({ "in-house.ts": IN_HOUSE_PLUGIN });
  const options = ["--option", `base_url=${server.url.origin}`, "--option", `token=${TOKEN}`];
  const live = await pluginTest(folder.path, "in-house.ts", ...options, "--record", "answers.json");
  expect([live.code, live.errors]).toEqual([0, ""]);
  expect(live.out).toContain("ok     one vector each, in provably its place: two inputs");
  expect(live.out).toMatch(/\n\d+ right, 0 wrong, \d+ not tried\.\n$/);
  const file = join(folder.path, "answers.json");
  expect(existsSync(file) && readFileSync(file, "utf8")).not.toContain(TOKEN);
  server.stop(true);
  const again = await pluginTest(
    folder.path,
    "in-house.ts",
    ...options,
    "--replay",
    "answers.json",
    "--json",
  );
  expect(again.code).toBe(0);
  const { outcomes } = JSON.parse(again.out);
  expect(outcomes.filter(({ outcome }: { outcome: string }) => outcome === "wrong")).toEqual([]);
});

test("a plugin that mixes up its vectors is told so in words, and ends in 1", async () => {
  using server = inHouseServer();
  const mixed = IN_HOUSE_PLUGIN.replace(
    "({ index, values",
    "({ index: reply.vectors.length - 1 - index, values",
  );
  using folder = temporaryFolder({ "in-house.ts": mixed });
  const { code, out } = await pluginTest(
    folder.path,
    "in-house.ts",
    "--option",
    `base_url=${server.url.origin}`,
  );
  expect(code).toBe(1);
  expect(out).toContain("WRONG  one vector each, in provably its place: two inputs");
  expect(out).toContain("The vector at index 0 is not that of its text");
});

test("what is missing, mistyped or not there is told before anything is tried", async () => {
  using folder = temporaryFolder({ "in-house.ts": IN_HOUSE_PLUGIN, "broken.ts": "export const a = 1;\n" });
  const REFUSED: readonly (readonly [readonly string[], string])[] = [
    [["in-house.ts"], "--option base_url=…: Expected required property"],
    [["broken.ts"], "the plugin file broken.ts:1:1: it has no default export"],
    [["nowhere.ts"], "the plugin file nowhere.ts: there is no such file"],
    [["in-house.ts", "--option", "base_url"], "Expected key=value."],
    [["in-house.ts", "--option", "base_url=http://127.0.0.1:9", "--replay", "nowhere.json"], "nowhere.json"],
  ];
  for (const [args, words] of REFUSED) {
    const { code, errors } = await pluginTest(folder.path, ...args);
    expect(code).toBe(1);
    expect(errors).toContain(words);
  }
});

test("an upstream that is not there is told once", async () => {
  using folder = temporaryFolder({ "in-house.ts": IN_HOUSE_PLUGIN });
  const { code, out } = await pluginTest(
    folder.path,
    "in-house.ts",
    "--option",
    "base_url=http://127.0.0.1:9",
  );
  expect(code).toBe(1);
  expect(out).toContain(
    "WRONG  it answers a plain call\n         unavailable: The provider could not be reached",
  );
  expect(out).toContain("1 wrong");
  expect(out).toContain("name one with --model");
});
