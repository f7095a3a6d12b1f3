/** `embedgate licenses` lists everything that the executable contains, each with its text. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { PACKAGES_FILE, packagesText } from "../../.ci/packages";
import { allLicenses } from "../../src/commands/licenses";
import { runCommand } from "../command-line";

test("the packages are those that the bundler puts into the executable: otherwise run `bun run docs`", async () => {
  expect(readFileSync(PACKAGES_FILE, "utf8") === (await packagesText())).toBe(true);
});

test("each has its licence and a text, and the command prints them all", async () => {
  const all = allLicenses();
  expect(all.length).toBeGreaterThan(20);
  const lacking = all.filter(
    ({ license, texts }) => license === "" || texts.every((text) => text.length < 200),
  );
  expect(lacking.map(({ name }) => name)).toEqual([]);
  const { code, out } = await runCommand(["licenses"]);
  expect(code).toBe(0);
  for (const words of [
    "LESSER GENERAL PUBLIC LICENSE",
    "LIBRARY GENERAL PUBLIC LICENSE",
    "BERT base uncased",
  ])
    expect(out).toContain(words);
  for (const { name, version } of all) expect(out).toContain(`${name} ${version}: `);
  const list = await runCommand(["licenses", "--list", "--json"]);
  expect(JSON.parse(list.out)).toHaveLength(all.length);
});
